"""Moving-average crossover that stays out when it is too wild or too hot.

`targets` looks only at bars up to and including day i; whoever executes does so on day i + 1.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import List, Sequence

from bot.indicators import rsi, sma, volatility
from bot.models import Bar


@dataclass(frozen=True)
class CrossoverStrategy:
    fast: int = 10
    slow: int = 30
    vol_window: int = 20
    max_vol: float = 0.60
    rsi_window: int = 14
    max_rsi: float = 80.0

    def __post_init__(self):
        if not 0 < self.fast < self.slow:
            raise ValueError(f"need 0 < fast < slow, got {self.fast} and {self.slow}")

    @property
    def warmup(self) -> int:
        return max(self.slow, self.vol_window + 1, self.rsi_window + 1)

    def targets(self, bars: Sequence[Bar]) -> List[int]:
        """1 = be long, 0 = be flat, one per bar."""
        closes = [bar.close for bar in bars]
        fast = sma(closes, self.fast)
        slow = sma(closes, self.slow)
        vol = volatility(closes, self.vol_window)
        heat = rsi(closes, self.rsi_window)
        out: List[int] = []
        held = 0
        for i in range(len(bars)):
            if slow[i] is None or vol[i] is None or heat[i] is None:
                out.append(0)
                continue
            trend_up = fast[i] > slow[i]
            if not trend_up or vol[i] > self.max_vol:
                held = 0
            elif not held and heat[i] <= self.max_rsi:
                held = 1  # do not chase: enter only below max_rsi, but stay in once in
            out.append(held)
        return out

    def latest(self, bars: Sequence[Bar]) -> int:
        return self.targets(bars)[-1] if bars else 0
