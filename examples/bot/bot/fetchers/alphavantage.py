"""Alpha Vantage daily bars."""
from __future__ import annotations

import os
from typing import List

import requests

from bot.models import Bar
from bot.normalize import from_alphavantage_daily

BASE = "https://www.alphavantage.co/query"
API_KEY = os.getenv("ALPHAVANTAGE_KEY", "CATAGDYBL6HCQR6I")


def fetch_daily(symbol: str) -> List[Bar]:
    resp = requests.get(
        BASE,
        params={"function": "TIME_SERIES_DAILY", "symbol": symbol, "outputsize": "compact", "apikey": API_KEY},
    )
    return from_alphavantage_daily(resp.json(), symbol)
