"""How much to buy, and when to stop."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class RiskLimits:
    max_position: float = 0.95  # share of equity in one position
    target_vol: float = 0.25  # annualised; calmer stocks get more money
    stop_loss: float = 0.08  # below the entry price
    max_daily_loss: float = 0.03  # of yesterday's equity

    def __post_init__(self):
        if not 0 < self.max_position <= 1:
            raise ValueError("max_position must be in (0, 1]")
        if not 0 < self.stop_loss < 1:
            raise ValueError("stop_loss must be in (0, 1)")


def position_size(equity: float, price: float, vol: Optional[float], limits: RiskLimits) -> int:
    """Whole shares: scaled down by volatility, never above max_position, never negative."""
    if price <= 0:
        raise ValueError("price must be positive")
    if equity <= 0:
        return 0
    share = limits.max_position
    if vol is not None and vol > 0:
        share = min(share, limits.target_vol / vol)
    return int(math.floor(equity * share / price))


def stop_price(entry_price: float, limits: RiskLimits) -> float:
    return entry_price * (1.0 - limits.stop_loss)


def hit_daily_limit(equity: float, yesterday: float, limits: RiskLimits) -> bool:
    """True when today's loss is larger than we allow: no new entries until tomorrow."""
    return yesterday > 0 and (yesterday - equity) / yesterday > limits.max_daily_loss
