import unittest

from bot.indicators import rsi, sma, volatility
from bot.strategy import CrossoverStrategy
from tests.helpers import bars_of


def zigzag(start, step, days):
    """A trend with small steps back, so that RSI stays below 100."""
    price, out = start, []
    for i in range(days):
        price *= 1 + (step if i % 3 else -step / 2)
        out.append(price)
    return out


class IndicatorTest(unittest.TestCase):
    def test_sma(self):
        self.assertEqual(sma([1, 2, 3, 4], 2), [None, 1.5, 2.5, 3.5])

    def test_sma_rejects_empty_window(self):
        with self.assertRaises(ValueError):
            sma([1, 2], 0)

    def test_rsi_ends(self):
        self.assertEqual(rsi(list(range(1, 20)))[-1], 100.0)
        self.assertEqual(rsi(list(range(20, 1, -1)))[-1], 0.0)
        self.assertEqual(rsi([5.0] * 20)[-1], 50.0)

    def test_volatility_of_a_constant_price_is_zero(self):
        values = volatility([10.0] * 30, 20)
        self.assertIsNone(values[19])
        self.assertEqual(values[20], 0.0)


class StrategyTest(unittest.TestCase):
    def setUp(self):
        self.strategy = CrossoverStrategy(fast=5, slow=15)

    def test_flat_until_warm(self):
        targets = self.strategy.targets(bars_of(zigzag(100, 0.01, 60)))
        self.assertEqual(set(targets[: self.strategy.warmup - 1]), {0})

    def test_long_in_an_uptrend(self):
        self.assertEqual(self.strategy.latest(bars_of(zigzag(100, 0.01, 60))), 1)

    def test_flat_in_a_downtrend(self):
        self.assertEqual(self.strategy.latest(bars_of(zigzag(100, -0.01, 60))), 0)

    def test_leaves_when_the_trend_turns(self):
        up = zigzag(100, 0.01, 60)
        targets = self.strategy.targets(bars_of(up + zigzag(up[-1], -0.01, 30)))
        self.assertEqual((targets[59], targets[-1]), (1, 0))

    def test_stays_out_when_wild(self):
        calm = CrossoverStrategy(fast=5, slow=15, max_vol=0.05)
        self.assertEqual(sum(calm.targets(bars_of(zigzag(100, 0.01, 60)))), 0)

    def test_does_not_chase_an_overheated_market(self):
        straight = [100 * 1.01 ** i for i in range(60)]  # RSI is 100 all the way
        self.assertEqual(sum(self.strategy.targets(bars_of(straight))), 0)

    def test_no_look_ahead(self):
        closes = zigzag(100, 0.01, 60) + zigzag(170, -0.02, 40)
        whole = self.strategy.targets(bars_of(closes))
        for n in (30, 60, 75):
            self.assertEqual(self.strategy.targets(bars_of(closes[:n])), whole[:n])

    def test_windows_must_be_in_order(self):
        with self.assertRaises(ValueError):
            CrossoverStrategy(fast=30, slow=10)

    def test_no_bars_no_position(self):
        self.assertEqual(self.strategy.latest([]), 0)
