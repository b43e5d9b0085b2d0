"""Indicators. Every list is as long as its input; None until there is enough data."""
from __future__ import annotations

import math
from typing import List, Optional, Sequence


def sma(values: Sequence[float], window: int) -> List[Optional[float]]:
    if window < 1:
        raise ValueError("window must be at least 1")
    out: List[Optional[float]] = []
    total = 0.0
    for i, value in enumerate(values):
        total += value
        if i >= window:
            total -= values[i - window]
        out.append(total / window if i >= window - 1 else None)
    return out


def rsi(values: Sequence[float], window: int = 14) -> List[Optional[float]]:
    """Wilder's relative strength index."""
    out: List[Optional[float]] = [None] * len(values)
    if len(values) <= window:
        return out
    changes = [b - a for a, b in zip(values, values[1:])]
    gain = sum(c for c in changes[:window] if c > 0) / window
    loss = sum(-c for c in changes[:window] if c < 0) / window
    out[window] = _rsi_value(gain, loss)
    for i in range(window, len(changes)):
        gain = (gain * (window - 1) + max(changes[i], 0.0)) / window
        loss = (loss * (window - 1) + max(-changes[i], 0.0)) / window
        out[i + 1] = _rsi_value(gain, loss)
    return out


def _rsi_value(gain: float, loss: float) -> float:
    if loss == 0:
        return 50.0 if gain == 0 else 100.0
    return 100.0 - 100.0 / (1.0 + gain / loss)


def volatility(values: Sequence[float], window: int = 20) -> List[Optional[float]]:
    """Annualised standard deviation of daily log returns over the last `window` returns."""
    out: List[Optional[float]] = [None] * len(values)
    returns = [math.log(b / a) for a, b in zip(values, values[1:])]
    for i in range(window, len(values)):
        part = returns[i - window : i]
        mean = sum(part) / window
        var = sum((r - mean) ** 2 for r in part) / (window - 1)
        out[i] = math.sqrt(var * 252)
    return out
