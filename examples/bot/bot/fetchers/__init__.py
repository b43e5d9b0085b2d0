"""Daily bars of one provider. Never mixed: some adjust for splits, some do not."""
from __future__ import annotations

from typing import List

from bot.fetchers import alphavantage, polygon, yahoo
from bot.models import Bar

PROVIDERS = {
    "alphavantage": alphavantage.fetch_daily,
    "polygon": polygon.fetch_daily,
    "yahoo": yahoo.fetch_chart,
}


def get_bars(symbol: str, provider: str = "polygon") -> List[Bar]:
    return PROVIDERS[provider](symbol)
