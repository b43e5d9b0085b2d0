# bot/data/normalizer.py
"""Turns what the providers answer into Bar objects, oldest first."""
from __future__ import annotations

from datetime import datetime, timezone
from typing import Dict, Iterable, List

from bot.models import Bar, Quote


def from_alphavantage_daily(payload: dict, symbol: str) -> List[Bar]:
    """TIME_SERIES_DAILY: an object keyed by day, newest first, numbers as text."""
    series = payload.get("Time Series (Daily)", {})
    bars = []
    for day, row in series.items():
        # volume is key 5 in DAILY and key 6 in DAILY_ADJUSTED
        volume = row.get("6. volume", row.get("5. volume"))
        bars.append(
            Bar(
                symbol=symbol,
                day=datetime.strptime(day, "%Y-%m-%d").date(),
                open=float(row["1. open"]),
                high=float(row["2. high"]),
                low=float(row["3. low"]),
                close=float(row["4. close"]),
                volume=float(volume),
            )
        )
    return clean(bars)


def from_polygon_aggs(payload: dict) -> List[Bar]:
    """Aggregates: `t` is midnight in New York, in epoch milliseconds."""
    bars = []
    for row in payload.get("results", []):
        start = datetime.fromtimestamp(row["t"] / 1000, tz=timezone.utc)
        bars.append(
            Bar(payload["ticker"], start.date(), row["o"], row["h"], row["l"], row["c"], row["v"])
        )
    return clean(bars)


def from_yahoo_chart(payload: dict) -> List[Bar]:
    """Chart: parallel columns; holidays and halts come as null."""
    result = payload["chart"]["result"][0]
    meta = result["meta"]
    quote = result["indicators"]["quote"][0]
    bars = []
    for i, stamp in enumerate(result.get("timestamp", [])):
        values = [quote[k][i] for k in ("open", "high", "low", "close", "volume")]
        if any(v is None for v in values):
            continue
        local = datetime.fromtimestamp(stamp + meta["gmtoffset"], tz=timezone.utc)
        bars.append(Bar(meta["symbol"], local.date(), *values))
    return clean(bars)


def from_finnhub_quote(payload: dict, symbol: str) -> Quote:
    if not payload.get("t"):
        raise LookupError(f"finnhub does not know {symbol}")
    return Quote(symbol, payload["c"], payload["pc"], datetime.fromtimestamp(payload["t"]))


def clean(bars: Iterable[Bar]) -> List[Bar]:
    """Sort by day, keep the last bar of a day, drop bars that cannot be true."""
    by_day: Dict[object, Bar] = {}
    for bar in bars:
        if bar.low <= 0 or bar.high < max(bar.open, bar.close) or bar.low > min(bar.open, bar.close):
            continue
        by_day[bar.day] = bar
    return [by_day[day] for day in sorted(by_day)]
