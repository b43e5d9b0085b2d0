import unittest
from datetime import date

from bot import normalize
from bot.models import Bar
from tests.helpers import fixture


class NormalizeTest(unittest.TestCase):
    def test_alphavantage_is_turned_oldest_first(self):
        bars = normalize.from_alphavantage_daily(fixture("alphavantage_daily.json"), "AAPL")
        self.assertEqual([b.day for b in bars], [date(2024, 3, 4), date(2024, 3, 5), date(2024, 3, 6)])
        self.assertEqual(bars[0], Bar("AAPL", date(2024, 3, 4), 176.15, 176.9, 173.79, 175.1, 81510100.0))

    def test_alphavantage_adjusted_volume_is_key_six(self):
        row = {"1. open": "2", "2. high": "3", "3. low": "1", "4. close": "2", "5. adjusted close": "1.9", "6. volume": "77"}
        bars = normalize.from_alphavantage_daily({"Time Series (Daily)": {"2024-03-04": row}}, "X")
        self.assertEqual(bars[0].volume, 77.0)

    def test_polygon_days_survive_summer_time(self):
        # 05:00Z on March 4th, 04:00Z on March 12th
        bars = normalize.from_polygon_aggs(fixture("polygon_aggs.json"))
        self.assertEqual([b.day for b in bars], [date(2024, 3, 4), date(2024, 3, 12)])
        self.assertEqual(bars[1].close, 172.75)

    def test_polygon_without_results_is_empty(self):
        self.assertEqual(normalize.from_polygon_aggs({"ticker": "AAPL", "resultsCount": 0, "status": "OK"}), [])

    def test_yahoo_skips_null_rows(self):
        bars = normalize.from_yahoo_chart(fixture("yahoo_chart.json"))
        self.assertEqual([b.day for b in bars], [date(2024, 3, 4), date(2024, 3, 6)])

    def test_providers_agree_on_the_same_day(self):
        first = [
            normalize.from_alphavantage_daily(fixture("alphavantage_daily.json"), "AAPL")[0],
            normalize.from_polygon_aggs(fixture("polygon_aggs.json"))[0],
            normalize.from_yahoo_chart(fixture("yahoo_chart.json"))[0],
        ]
        self.assertEqual({(b.symbol, b.day, b.open, b.close) for b in first}, {("AAPL", date(2024, 3, 4), 176.15, 175.1)})

    def test_finnhub_quote(self):
        quote = normalize.from_finnhub_quote(fixture("finnhub_quote.json"), "AAPL")
        self.assertEqual((quote.price, quote.previous_close), (169.12, 170.12))

    def test_finnhub_unknown_symbol_is_not_a_price_of_zero(self):
        with self.assertRaises(LookupError):
            normalize.from_finnhub_quote({"c": 0, "d": None, "dp": None, "h": 0, "l": 0, "o": 0, "pc": 0, "t": 0}, "NOPE")

    def test_clean_drops_impossible_bars_and_doubles(self):
        day = date(2024, 1, 2)
        good, newer = Bar("X", day, 10, 11, 9, 10, 5), Bar("X", day, 10, 11, 9, 10.5, 6)
        bad = Bar("X", date(2024, 1, 3), 10, 9, 8, 10, 5)
        self.assertEqual(normalize.clean([good, bad, newer]), [newer])
