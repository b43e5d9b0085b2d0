"""Plain data passed between the modules."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True)
class Bar:
    symbol: str
    day: date
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True)
class Quote:
    symbol: str
    price: float
    previous_close: float
    time: datetime


@dataclass(frozen=True)
class Fill:
    day: date
    symbol: str
    side: str  # "buy" or "sell"
    qty: int
    price: float
    fee: float

    @property
    def cash_flow(self) -> float:
        """What the fill did to the cash balance."""
        gross = self.qty * self.price
        return -gross - self.fee if self.side == "buy" else gross - self.fee


@dataclass(frozen=True)
class Trade:
    """A closed round trip."""

    symbol: str
    entry_day: date
    exit_day: date
    qty: int
    entry_price: float
    exit_price: float
    fees: float
    reason: str

    @property
    def pnl(self) -> float:
        return (self.exit_price - self.entry_price) * self.qty - self.fees
