import os
import unittest

from bot import backtest, metrics
from bot.risk import RiskLimits
from bot.storage import read_bars
from bot.strategy import CrossoverStrategy
from tests.helpers import ROOT, bars_of

SAMPLE = os.path.join(ROOT, "data", "sample_AAPL.csv")


class SampleBacktest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bars = read_bars(SAMPLE)
        cls.result = backtest.run(cls.bars)

    def test_it_trades(self):
        self.assertEqual(len(self.bars), 504)
        self.assertGreater(len(self.result.trades), 3)

    def test_one_equity_value_per_bar(self):
        self.assertEqual(len(self.result.equity), len(self.bars))

    def test_profit_is_the_sum_of_the_trades(self):
        pnl = sum(t.pnl for t in self.result.trades)
        self.assertAlmostEqual(self.result.equity[-1], 10_000 + pnl, places=6)

    def test_profit_is_the_sum_of_the_cash_flows(self):
        flows = sum(f.cash_flow for f in self.result.fills)
        self.assertAlmostEqual(self.result.equity[-1], 10_000 + flows, places=6)

    def test_ends_flat(self):
        signed = sum(f.qty if f.side == "buy" else -f.qty for f in self.result.fills)
        self.assertEqual(signed, 0)
        self.assertEqual(len(self.result.fills), 2 * len(self.result.trades))

    def test_never_spends_more_than_it_has(self):
        cash = 10_000.0
        for fill in self.result.fills:
            cash += fill.cash_flow
            self.assertGreaterEqual(cash, 0)

    def test_same_input_same_result(self):
        self.assertEqual(backtest.run(self.bars).equity, self.result.equity)

    def test_costs_cost(self):
        free = backtest.run(self.bars, fee_bps=0, slippage_bps=0)
        dear = backtest.run(self.bars, fee_bps=20, slippage_bps=20)
        self.assertGreater(free.equity[-1], self.result.equity[-1])
        self.assertGreater(self.result.equity[-1], dear.equity[-1])
        self.assertEqual(sum(f.fee for f in free.fills), 0)

    def test_trades_do_not_overlap(self):
        for a, b in zip(self.result.trades, self.result.trades[1:]):
            self.assertLess(a.entry_day, a.exit_day)
            self.assertLess(a.exit_day, b.entry_day)


class SmallBacktest(unittest.TestCase):
    def test_nothing_from_nothing(self):
        self.assertEqual(backtest.run([]).equity, [])

    def test_buys_the_day_after_the_signal_at_its_open(self):
        price, closes = 100.0, []
        for i in range(60):
            price *= 1.01 if i % 3 else 0.995
            closes.append(price)
        bars = bars_of(closes)
        strategy = CrossoverStrategy(5, 15)
        first = strategy.targets(bars).index(1)
        fill = backtest.run(bars, strategy, slippage_bps=0).fills[0]
        self.assertEqual((fill.day, fill.price), (bars[first + 1].day, bars[first + 1].open))

    def test_stop_loss_limits_the_damage(self):
        price, closes = 100.0, []
        for i in range(60):
            price *= 1.01 if i % 3 else 0.995
            closes.append(price)
        bars = bars_of(closes + [closes[-1] * 0.96, closes[-1] * 0.80])
        limits = RiskLimits(stop_loss=0.01)
        trade = backtest.run(bars, CrossoverStrategy(5, 15), limits, fee_bps=0, slippage_bps=0).trades[0]
        self.assertEqual(trade.reason, "stop")
        self.assertLessEqual(trade.exit_price, trade.entry_price * 0.99)

    def test_max_drawdown(self):
        self.assertAlmostEqual(metrics.max_drawdown([100, 120, 90, 130, 125]), 0.25)

    def test_metrics_without_trades(self):
        values = metrics.summary([100.0, 100.0, 100.0], [])
        self.assertEqual((values["total_return"], values["sharpe"], values["win_rate"]), (0.0, 0.0, 0.0))
