import unittest

from bot.risk import RiskLimits, hit_daily_limit, position_size, stop_price


class RiskTest(unittest.TestCase):
    def setUp(self):
        self.limits = RiskLimits(max_position=0.5, target_vol=0.2, stop_loss=0.1, max_daily_loss=0.03)

    def test_calm_stock_gets_the_maximum(self):
        self.assertEqual(position_size(10_000, 100, 0.10, self.limits), 50)

    def test_wild_stock_gets_less(self):
        self.assertEqual(position_size(10_000, 100, 0.80, self.limits), 25)

    def test_rounds_down_to_whole_shares(self):
        self.assertEqual(position_size(10_000, 333, None, self.limits), 15)

    def test_bad_price(self):
        self.assertEqual(position_size(100, 1_000, None, self.limits), 0)

    def test_bad_price(self):
        with self.assertRaises(ValueError):
            position_size(10_000, 0, None, self.limits)

    def test_no_money_no_shares(self):
        self.assertEqual(position_size(0, 10, None, self.limits), 0)
        self.assertEqual(position_size(-50, 10, None, self.limits), 0)

    def test_never_above_the_limit(self):
        for vol in (None, 0.0, 0.01, 0.2, 0.5, 3.0):
            self.assertLessEqual(position_size(10_000, 7, vol, self.limits) * 7, 5_000)

    def test_stop_is_below_entry(self):
        self.assertAlmostEqual(stop_price(50, self.limits), 45)

    def test_daily_limit(self):
        self.assertTrue(hit_daily_limit(9_600, 10_000, self.limits))
        self.assertFalse(hit_daily_limit(9_800, 10_000, self.limits))
        self.assertFalse(hit_daily_limit(10_500, 10_000, self.limits))

    def test_limits_are_checked(self):
        with self.assertRaises(ValueError):
            RiskLimits(max_position=1.5)
