"""Messages to a chat webhook, or to the log when there is none."""
import json
import logging
import urllib.request

log = logging.getLogger(__name__)


class Notifier:
    def __init__(self, webhook_url=""):
        self.webhook_url = webhook_url

    def send(self, text):
        if not self.webhook_url:
            log.info("notify: %s", text)
            return
        body = json.dumps({"text": text}).encode()
        req = urllib.request.Request(self.webhook_url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(req, timeout=10) as resp:
            resp.read()


def format_fill(fill):
    return f"{fill.side.upper()} {fill.qty} {fill.symbol} @ {fill.price:.2f} (fee {fill.fee:.2f})"


def format_metrics(values):
    lines = []
    for name, value in values.items():
        if name in ("trades",):
            shown = str(int(value))
        elif name in ("sharpe", "profit_factor", "fees", "final_equity"):
            shown = f"{value:,.2f}"
        else:
            shown = f"{value:.2%}"
        lines.append(f"{name.replace('_', ' '):<14} {shown:>12}")
    return "\n".join(lines)
