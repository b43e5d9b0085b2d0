"""Writes what must be read from each recording, with Python's own reader: one line for each row, oldest first.

Run it in this folder. Floats are never made: the reader hands numbers over as text.
"""

import datetime
import decimal
import json
import zoneinfo

decimal.getcontext().prec = 60
NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)


def load(name):
    with open(f"{name}.json", encoding="utf-8") as file:
        return json.load(file, parse_float=str, parse_int=str)


def number(value):
    return "-" if value is None else f"{decimal.Decimal(value).normalize():f}"


def moment(seconds):
    """From decimal seconds since 1970, to the nanosecond."""
    nanos = decimal.Decimal(seconds) * 10**9
    assert nanos == nanos.to_integral_value()
    whole, part = divmod(int(nanos), 10**9)
    text = (EPOCH + datetime.timedelta(seconds=whole)).strftime("%Y-%m-%dT%H:%M:%S")
    return text + (f".{part:09d}".rstrip("0") if part else "") + "Z"


def utc(text):
    """From RFC 3339 with Z or +00:00, to the nanosecond."""
    text = text.removesuffix("Z").removesuffix("+00:00")
    whole, _, part = text.partition(".")
    part = part.rstrip("0")
    return whole + (f".{part}" if part else "") + "Z"


def local(when):
    return when.replace(tzinfo=NEW_YORK).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def day(text):
    return local(datetime.datetime.strptime(text[:10], "%Y-%m-%d"))


def monday(text):
    date = datetime.datetime.strptime(text[:10], "%Y-%m-%d")
    return local(date - datetime.timedelta(days=date.weekday()))


def write(name, rows):
    rows = sorted(rows)
    with open(f"{name}.rows", "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in rows)


def bar(start, *numbers):
    return " ".join([start, *map(number, numbers)])


def ohlcv(row, keys="ohlcv"):
    return [row.get(key) for key in keys]


for name, symbol in [
    ("alpaca-bars-day", "AAPL"), ("alpaca-bars-day-desc", "TSLA"), ("alpaca-bars-multisymbol", "TSLA"),
    ("alpaca-bars-paged-1", "META"), ("alpaca-bars-paged-2", "META"), ("alpaca-bars-15min", "AMZN"),
]:
    write(name, [bar(utc(row["t"]), *ohlcv(row)) for row in load(name)["bars"][symbol]])
write("polygon-aggs-day", [
    bar(moment(decimal.Decimal(row["t"]) / 1000), *ohlcv(row)) for row in load("polygon-aggs-day")["results"]
])
for name, start in [("tiingo-daily-prices", day), ("tiingo-daily-prices-2015", day), ("tiingo-daily-latest", day),
                    ("tiingo-daily-prices-weekly", monday)]:
    fields = ["open", "high", "low", "close", "volume"]
    write(name, [bar(start(row["date"]), *(row[field] for field in fields)) for row in load(name)])
write("tiingo-iex-30min", [
    bar(utc(row["date"]), row["open"], row["high"], row["low"], row["close"], None) for row in load("tiingo-iex-30min")
])
for ticker in load("tiingo-crypto-prices"):
    fields = ["open", "high", "low", "close", "volume"]
    rows = [bar(utc(row["date"]), *(row[field] for field in fields)) for row in ticker["priceData"]]
    write(f"tiingo-crypto-prices-{ticker['ticker']}", rows)
series = load("alphavantage-TIME_SERIES_INTRADAY-1min")["Time Series (1min)"]
write("alphavantage-TIME_SERIES_INTRADAY-1min", [
    bar(local(datetime.datetime.strptime(at, "%Y-%m-%d %H:%M:%S")), *(row[key] for key in sorted(row)))
    for at, row in series.items()
])
write("binance-OHLCV", [bar(moment(decimal.Decimal(row[0]) / 1000), *row[1:6]) for row in load("binance-OHLCV")])
# Time, low, high, open, close, volume.
write("coinbase-OHLCV", [
    bar(moment(row[0]), row[3], row[2], row[1], row[4], row[5]) for row in load("coinbase-OHLCV")
])
# Time, open, high, low, close, mean price, volume.
write("kraken-OHLCV", [
    bar(moment(row[0]), *row[1:5], row[6]) for row in load("kraken-OHLCV")["result"]["XBTUSDT"]
])


def trade(at, identity, price, size, taker):
    return f"{at} {identity} {number(price)} {number(size)} {taker}"


for symbol in ["F", "GE"]:
    write(f"alpaca-trades-multi-{symbol}", [
        trade(utc(row["t"]), f"{row['x']}:{row['i']}", row["p"], row["s"], "-")
        for row in load("alpaca-trades-multi")["trades"][symbol]
    ])
nano = decimal.Decimal(10) ** -9
write("polygon-v3-trades", [
    trade(moment(decimal.Decimal(row["sip_timestamp"]) * nano), f"{row['exchange']}:{row['id']}", row["price"],
          row["size"], "-")
    for row in load("polygon-v3-trades")["results"]
])
# The buyer was the maker, so the taker sold.
write("binance-Trades", [
    trade(moment(decimal.Decimal(row["T"]) / 1000), row["a"], row["p"], row["q"], "sell" if row["m"] else "buy")
    for row in load("binance-Trades")
])
# The side is the maker's.
write("coinbase-Trades", [
    trade(utc(row["time"]), row["trade_id"], row["price"], row["size"], {"sell": "buy", "buy": "sell"}[row["side"]])
    for row in load("coinbase-Trades")
])
write("kraken-Trades", [
    trade(moment(row[2]), row[6], row[0], row[1], {"b": "buy", "s": "sell"}[row[3]])
    for row in load("kraken-Trades")["result"]["XBTUSDT"]
])


def quote(at, bid, bid_size, ask, ask_size, last):
    return " ".join([at, *map(number, [bid, bid_size, ask, ask_size, last])])


for name in ["alpaca-quotes-paged-1", "alpaca-quotes-paged-2"]:
    write(name, [
        quote(utc(row["t"]), row["bp"], row["bs"], row["ap"], row["as"], None) for row in load(name)["quotes"]["IBM"]
    ])
write("polygon-quotes-page1", [
    quote(moment(decimal.Decimal(row["sip_timestamp"]) * nano), row["bid_price"], row["bid_size"], row["ask_price"],
          row["ask_size"], None)
    for row in load("polygon-quotes-page1")["results"]
])
# Capitals are the ask.
last = load("polygon-last-nbbo")["results"]
write("polygon-last-nbbo", [
    quote(moment(decimal.Decimal(last["t"]) * nano), last["p"], last["s"], last["P"], last["S"], None)
])
last = load("polygon-last-trade")["results"]
write("polygon-last-trade", [quote(moment(decimal.Decimal(last["t"]) * nano), None, None, None, None, last["p"])])
row = load("coinbase-Ticker")
write("coinbase-Ticker", [quote(utc(row["time"]), row["bid"], None, row["ask"], None, row["price"])])
row = load("binance-Ticker")
write("binance-Ticker", [
    quote(moment(decimal.Decimal(row["closeTime"]) / 1000), row["bidPrice"], row["bidQty"], row["askPrice"],
          row["askQty"], row["lastPrice"])
])
row = load("kraken-Ticker")["result"]["XBTUSDT"]
write("kraken-Ticker", [quote("now", row["b"][0], row["b"][2], row["a"][0], row["a"][2], row["c"][0])])
write("twelvedata-price", [quote("now", None, None, None, None, load("twelvedata-price")["price"])])
row = load("finnhub-quote")
write("finnhub-quote", [quote(moment(row["t"]), None, None, None, None, row["c"])])
row = load("alphavantage-GLOBAL_QUOTE")["Global Quote"]
write("alphavantage-GLOBAL_QUOTE", [quote("now", None, None, None, None, row["05. price"])])


def article(at, url, publisher, symbols, title):
    return f"{at} {url} {publisher} {','.join(symbols) or '-'} {title}"


write("polygon-news", [
    article(utc(row["published_utc"]), row["article_url"], row["publisher"]["name"], row["tickers"], row["title"])
    for row in load("polygon-news")["results"]
])
write("tiingo-news", [
    article(utc(row["publishedDate"]), row["url"], row["source"], row["tickers"], row["title"])
    for row in load("tiingo-news")
])
write("newsapi-everything", [
    article(utc(row["publishedAt"]), row["url"], row["source"]["name"], [], row["title"])
    for row in load("newsapi-everything")["articles"]
])
