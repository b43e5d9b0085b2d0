"""Numbers about an equity curve and its trades."""
from __future__ import annotations

import math
from typing import Dict, List, Sequence


def daily_returns(equity: Sequence[float]) -> List[float]:
    return [b / a - 1.0 for a, b in zip(equity, equity[1:]) if a > 0]


def total_return(equity: Sequence[float]) -> float:
    return equity[-1] / equity[0] - 1.0 if len(equity) > 1 else 0.0


def cagr(equity: Sequence[float], days_per_year: int = 252) -> float:
    if len(equity) < 2 or equity[-1] <= 0:
        return 0.0
    return (equity[-1] / equity[0]) ** (days_per_year / (len(equity) - 1)) - 1.0


def max_drawdown(equity: Sequence[float]) -> float:
    """Largest fall from a peak, as a positive fraction."""
    peak, worst = float("-inf"), 0.0
    for value in equity:
        peak = max(peak, value)
        worst = max(worst, (peak - value) / peak)
    return worst


def sharpe(equity: Sequence[float], days_per_year: int = 252) -> float:
    returns = daily_returns(equity)
    if len(returns) < 2:
        return 0.0
    mean = sum(returns) / len(returns)
    var = sum((r - mean) ** 2 for r in returns) / (len(returns) - 1)
    return mean / math.sqrt(var) * math.sqrt(days_per_year) if var > 0 else 0.0


def win_rate(pnls: Sequence[float]) -> float:
    return sum(1 for p in pnls if p > 0) / len(pnls) if pnls else 0.0


def profit_factor(pnls: Sequence[float]) -> float:
    won = sum(p for p in pnls if p > 0)
    lost = -sum(p for p in pnls if p < 0)
    if lost == 0:
        return float("inf") if won > 0 else 0.0
    return won / lost


def summary(equity: Sequence[float], pnls: Sequence[float]) -> Dict[str, float]:
    return {
        "total_return": total_return(equity),
        "cagr": cagr(equity),
        "max_drawdown": max_drawdown(equity),
        "sharpe": sharpe(equity),
        "trades": len(pnls),
        "win_rate": win_rate(pnls),
        "profit_factor": profit_factor(pnls),
    }
