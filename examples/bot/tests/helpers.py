"""Bars for tests."""
import json
import os
from datetime import date, timedelta

from bot.models import Bar

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)


def fixture(name):
    with open(os.path.join(HERE, "fixtures", name)) as f:
        return json.load(f)


def bars_of(closes, symbol="TEST", start=date(2024, 1, 1)):
    """One bar per close; opens at the previous close."""
    out = []
    before = closes[0]
    for i, close in enumerate(closes):
        high, low = max(before, close) * 1.001, min(before, close) * 0.999
        out.append(Bar(symbol, start + timedelta(days=i), before, high, low, close, 1000))
        before = close
    return out
