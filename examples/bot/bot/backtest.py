"""Event loop over daily bars. Decisions at the close, execution at the next open."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Optional, Sequence

from bot import metrics, risk
from bot.broker import PaperBroker
from bot.indicators import volatility
from bot.models import Bar, Fill, Trade
from bot.strategy import CrossoverStrategy


@dataclass
class Result:
    equity: List[float] = field(default_factory=list)
    trades: List[Trade] = field(default_factory=list)
    fills: List[Fill] = field(default_factory=list)
    days_in_market: int = 0
    buy_and_hold: float = 0.0

    def metrics(self) -> Dict[str, float]:
        out = metrics.summary(self.equity, [t.pnl for t in self.trades])
        out["exposure"] = self.days_in_market / len(self.equity) if self.equity else 0.0
        out["buy_and_hold"] = self.buy_and_hold
        out["fees"] = sum(f.fee for f in self.fills)
        out["final_equity"] = self.equity[-1] if self.equity else 0.0
        return out


def run(
    bars: Sequence[Bar],
    strategy: Optional[CrossoverStrategy] = None,
    limits: Optional[risk.RiskLimits] = None,
    cash: float = 10_000.0,
    fee_bps: float = 1.0,
    slippage_bps: float = 2.0,
) -> Result:
    """One symbol, long or flat. Whatever is open on the last day is sold at its close."""
    strategy = strategy or CrossoverStrategy()
    limits = limits or risk.RiskLimits()
    result = Result()
    if not bars:
        return result
    symbol = bars[0].symbol
    broker = PaperBroker(cash, fee_bps, slippage_bps)
    targets = strategy.targets(bars)
    vols = volatility([bar.close for bar in bars], strategy.vol_window)
    entry: Optional[Fill] = None
    stopped = False  # after a stop, wait for the strategy to go flat once
    paused = False

    def close(price: float, bar: Bar, reason: str) -> None:
        nonlocal entry
        done = broker.sell(symbol, broker.position(symbol), price, bar.day)
        result.trades.append(
            Trade(symbol, entry.day, bar.day, done.qty, entry.price, done.price, entry.fee + done.fee, reason)
        )
        entry = None

    for i, bar in enumerate(bars):
        wanted = targets[i - 1] if i else 0
        if not wanted:
            stopped = False
        if entry and not wanted:
            close(bar.open, bar, "signal")
        elif not entry and wanted and not stopped and not paused:
            qty = risk.position_size(broker.cash, bar.open, vols[i - 1], limits)
            while qty and broker.cost_of(qty, bar.open) > broker.cash:
                qty -= 1
            if qty:
                entry = broker.buy(symbol, qty, bar.open, bar.day)
        if entry:
            stop = risk.stop_price(entry.price, limits)
            if bar.low <= stop:
                close(min(stop, bar.open), bar, "stop")
                stopped = True
        if entry and i == len(bars) - 1:
            close(bar.close, bar, "end")
        if entry:
            result.days_in_market += 1
        yesterday = result.equity[-1] if result.equity else cash
        result.equity.append(broker.equity({symbol: bar.close}))
        paused = risk.hit_daily_limit(result.equity[-1], yesterday, limits)

    result.fills = broker.fills
    result.buy_and_hold = bars[-1].close / bars[0].open - 1.0
    return result
