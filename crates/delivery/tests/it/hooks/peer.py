"""Runs the scripts of pre-commit-hooks, and asks identify, for the tests beside this file.

Reads one case per line from standard input, fields parted by tabs; answers one line per case. Many cases in
one start, because starting Python costs more than all of them.
"""
import contextlib
import importlib
import io
import os
import re
import shlex
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")
MODULES = {
    "check-ast": "check_ast",
    "check-builtin-literals": "check_builtin_literals",
    "check-docstring-first": "check_docstring_first",
    "check-json": "check_json",
    "check-merge-conflict": "check_merge_conflict",
    "check-toml": "check_toml",
    "check-vcs-permalinks": "check_vcs_permalinks",
    "check-xml": "check_xml",
    "check-yaml": "check_yaml",
    "debug-statements": "debug_statement_hook",
    "detect-private-key": "detect_private_key",
    "double-quote-string-fixer": "string_fixer",
    "end-of-file-fixer": "end_of_file_fixer",
    "file-contents-sorter": "file_contents_sorter",
    "fix-byte-order-marker": "fix_byte_order_marker",
    "mixed-line-ending": "mixed_line_ending",
    "name-tests-test": "tests_should_end_in_test",
    "pretty-format-json": "pretty_format_json",
    "requirements-txt-fixer": "requirements_txt_fixer",
    "sort-simple-yaml": "sort_simple_yaml",
    "trailing-whitespace": "trailing_whitespace_fixer",
}


def hook(name, args, path, content):
    main = importlib.import_module("pre_commit_hooks." + MODULES[name]).main
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="replace")
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = main([*args, path])
    except SystemExit as end:
        code = end.code
    except BaseException:
        # As a process it would end with a traceback.
        code = 1
    with open(path, "rb") as file:
        after = file.read()
    os.remove(path)
    return f"{int(code)}\t{after.hex()}"


def types(path, mode, content):
    from identify.identify import tags_from_path

    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, 0o755 if mode == "x" else 0o644)
    tags = " ".join(sorted(tags_from_path(path)))
    os.remove(path)
    return tags


def search(pattern, path):
    try:
        return str(int(bool(re.search(pattern, path))))
    except re.error:
        return "error"


def pygrep(args, pattern, content):
    from pre_commit.languages import pygrep as theirs

    with open("p", "wb") as file:
        file.write(content)
    said = []
    theirs.output.write = lambda text, **_: said.append(text.encode())
    theirs.output.write_line = lambda text=None, **_: said.append((text or "").encode() + b"\n")
    theirs.output.write_line_b = lambda line=None, **_: said.append((line or b"") + b"\n")
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            code = theirs.main([*args, pattern, "p"])
    except SystemExit as end:
        return f"refused\t{end.code}"
    except re.error:
        return "refused\t1"
    return f"{int(code)}\t{b''.join(said).hex()}"


def words(line):
    try:
        return "ok\t" + "\t".join(word.encode().hex() for word in shlex.split(line))
    except ValueError:
        return "error"


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for line in sys.stdin:
            kind, *fields = line.rstrip("\n").split("\t")
            if kind == "version":
                answer = f"{sys.version_info[0]} {sys.version_info[1]}"
            elif kind == "hook":
                args = [bytes.fromhex(arg).decode() for arg in fields[1].split(",") if arg]
                answer = hook(fields[0], args, fields[2], bytes.fromhex(fields[3]))
            elif kind == "types":
                answer = types(fields[0], fields[1], bytes.fromhex(fields[2]))
            elif kind == "pygrep":
                args = [bytes.fromhex(arg).decode() for arg in fields[0].split(",") if arg]
                answer = pygrep(args, bytes.fromhex(fields[1]).decode(), bytes.fromhex(fields[2]))
            elif kind == "has":
                try:
                    importlib.import_module(fields[0])
                    answer = "yes"
                except ImportError:
                    answer = "no"
            elif kind == "search":
                answer = search(*(bytes.fromhex(field).decode() for field in fields))
            else:
                answer = words(bytes.fromhex(fields[0]).decode())
            sys.__stdout__.write(answer + "\n")


# `check-merge-conflict` asks git; it is always given `--assume-in-merge` here.
import pre_commit_hooks.check_merge_conflict as conflict

conflict.is_in_merge = lambda: True
main()
