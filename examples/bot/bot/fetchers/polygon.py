"""Polygon aggregates."""
from __future__ import annotations

from datetime import date, timedelta
from typing import List

import requests

from bot import config
from bot.models import Bar
from bot.normalize import from_polygon_aggs

BASE = "https://api.polygon.io"


def fetch_daily(symbol: str, days: int = 730) -> List[Bar]:
    end = date.today()
    start = end - timedelta(days=days)
    resp = requests.get(
        f"{BASE}/v2/aggs/ticker/{symbol}/range/1/day/{start}/{end}",
        params={"adjusted": "true", "sort": "asc", "limit": 120},
        headers={"Authorization": f"Bearer {config.load().polygon_key}"},
        timeout=20,
    )
    resp.raise_for_status()
    return from_polygon_aggs(resp.json())
