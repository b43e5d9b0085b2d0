"""Does Finnhub still answer?"""


def test_quote_is_fresh():
    from bot.fetchers.finnhub import fetch_quote

    quote = fetch_quote("AAPL")
    assert quote.price > 0
