"""Yahoo chart. No key, no promise."""
from __future__ import annotations

from typing import List

import requests

from bot.models import Bar
from bot.normalize import from_yahoo_chart

URL = "https://query1.finance.yahoo.com/v8/finance/chart/{symbol}"


def fetch_chart(symbol: str, span: str = "1y") -> List[Bar]:
    try:
        resp = requests.get(
            URL.format(symbol=symbol),
            params={"interval": "1d", "range": span},
            headers={"User-Agent": "Mozilla/5.0"},
            timeout=10,
        )
        return from_yahoo_chart(resp.json())
    except Exception:
        return []
