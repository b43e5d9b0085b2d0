"""Bars as CSV, trades in SQLite."""
from __future__ import annotations

import csv
import logging
import sqlite3
from datetime import date, datetime
from pathlib import Path
from typing import Iterable, List, Union

from bot.models import Bar, Fill

log = logging.getLogger(__name__)

COLUMNS = ["date", "open", "high", "low", "close", "volume"]


def read_bars(path: Union[str, Path], symbol: str = "") -> List[Bar]:
    """The symbol is taken from the file name when not given: sample_AAPL.csv -> AAPL."""
    path = Path(path)
    symbol = symbol or path.stem.split("_")[-1].upper()
    bars = []
    with open(path, newline="") as f:
        for row in csv.DictReader(f):
            try:
                bars.append(Bar(symbol, date.fromisoformat(row["date"]), *(float(row[c]) for c in COLUMNS[1:])))
            except ValueError:
                logger.warning("skipping bad row in %s: %s", path, row)
    return sorted(bars, key=lambda b: b.day)


def write_bars(path: Union[str, Path], bars: Iterable[Bar]) -> int:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with open(path, "w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(COLUMNS)
        for b in bars:
            writer.writerow([b.day.isoformat(), b.open, b.high, b.low, b.close, b.volume])
            count += 1
    return count


class TradeStore:
    def __init__(self, path: str):
        self.db = sqlite3.connect(path)
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS fills (day TEXT, symbol TEXT, side TEXT, qty INTEGER,"
            " price REAL, fee REAL, saved_at TEXT)"
        )

    def save(self, fill: Fill) -> None:
        with self.db:
            self.db.execute(
                "INSERT INTO fills VALUES (?, ?, ?, ?, ?, ?, ?)",
                (fill.day.isoformat(), fill.symbol, fill.side, fill.qty, fill.price, fill.fee,
                 datetime.utcnow().isoformat()),
            )

    def fills(self, symbol: str = "") -> List[Fill]:
        rows = self.db.execute(
            "SELECT day, symbol, side, qty, price, fee FROM fills WHERE ? IN ('', symbol) ORDER BY rowid", (symbol,)
        )
        return [Fill(date.fromisoformat(r[0]), *r[1:]) for r in rows]

    def close(self) -> None:
        self.db.close()
