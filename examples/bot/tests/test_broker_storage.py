import contextlib
import io
import json
import os
import tempfile
import unittest
from datetime import date

from bot import cli, storage
from bot.broker import NotEnoughMoney, PaperBroker
from tests.helpers import ROOT, bars_of

DAY = date(2024, 1, 2)


class PaperBrokerTest(unittest.TestCase):
    def test_round_trip_costs_fees_and_slippage(self):
        broker = PaperBroker(1_000, fee_bps=10, slippage_bps=10)
        broker.buy("X", 5, 100, DAY)
        broker.sell("X", 5, 100, DAY)
        self.assertAlmostEqual(broker.cash, 1_000 - 5 * (100.1 * 1.001 - 99.9 * 0.999))
        self.assertEqual(broker.position("X"), 0)

    def test_no_credit(self):
        with self.assertRaises(NotEnoughMoney):
            PaperBroker(1_000).buy("X", 10, 100, DAY)  # fee and slippage do not fit

    def test_no_shorting(self):
        with self.assertRaises(ValueError):
            PaperBroker(1_000).sell("X", 1, 100, DAY)

    def test_equity_counts_positions(self):
        broker = PaperBroker(1_000, 0, 0)
        broker.buy("X", 5, 100, DAY)
        self.assertEqual(broker.equity({"X": 110}), 1_050)


class StorageTest(unittest.TestCase):
    def test_csv_round_trip(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "bars_TEST.csv")
            bars = bars_of([10.0, 10.5, 10.25])
            self.assertEqual(storage.write_bars(path, bars), 3)
            self.assertEqual(storage.read_bars(path), bars)

    def test_fills_round_trip(self):
        store = storage.TradeStore(":memory:")
        fill = PaperBroker(1_000).buy("X", 2, 100, DAY)
        store.save(fill)
        self.assertEqual(store.fills("X"), [fill])
        self.assertEqual(store.fills("Y"), [])
        store.close()


class CliTest(unittest.TestCase):
    def test_backtest_prints_metrics(self):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = cli.main(["backtest", os.path.join(ROOT, "data", "sample_MSFT.csv"), "--json"])
        values = json.loads(out.getvalue())
        self.assertEqual(code, 0)
        self.assertIn("max_drawdown", values)
