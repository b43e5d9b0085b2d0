# Put in front of PYTHONPATH by `tradewind exec`: clients that read no proxy variables go through the
# gateway too. It changes aiohttp, certifi and requests when they are imported, and nothing else.
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_BUNDLE = os.environ.get("TRADEWIND_EXEC_BUNDLE")


def _say(who):
    # `exec` says at the end whom it had to lead.
    try:
        with open(os.path.join(_HERE, "led"), "a") as led:
            led.write(who + "\n")
    except OSError:
        pass


def _certifi(module):
    if _BUNDLE:
        module.where = lambda: _BUNDLE


def _aiohttp(module):
    plain = module.ClientSession.__init__

    def through_the_gateway(self, *args, **kwargs):
        kwargs["trust_env"] = True
        plain(self, *args, **kwargs)

    module.ClientSession.__init__ = through_the_gateway
    _say("aiohttp")


def _requests(module):
    plain = module.Session.merge_environment_settings

    def through_the_gateway(self, *args, **kwargs):
        # Proxies and certificates only: whether .netrc is read stays as the program has it.
        own, self.trust_env = self.trust_env, True
        try:
            return plain(self, *args, **kwargs)
        finally:
            self.trust_env = own

    module.Session.merge_environment_settings = through_the_gateway


_CHANGES = {"certifi": _certifi, "aiohttp": _aiohttp, "requests": _requests}


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        change = _CHANGES.pop(name, None)
        if change is None:
            return None
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None or not hasattr(spec.loader, "exec_module"):
            return spec
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            try:
                change(module)
            except Exception:  # the program must run as it would without us
                pass

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, _Finder())

# A sitecustomize of the machine's own still runs.
_paths = [path for path in sys.path if os.path.abspath(path or ".") != _HERE]
_own = importlib.machinery.PathFinder.find_spec("sitecustomize", _paths)
if _own is not None and _own.loader is not None:
    _module = importlib.util.module_from_spec(_own)
    _own.loader.exec_module(_module)
