"""Mails nothing, prints the state of the watchlist. For cron."""
import os

import requests

from metrics import max_drawdown, sharpe

WATCHLIST = ["AAPL", "MSFT", "NVDA", "AMD", "TSLA", "GOOG", "META", "AMZN"]


def moving_average(values, window):
    out = []
    for i in range(len(values)):
        if i + 1 < window:
            out.append(None)
        else:
            out.append(sum(values[i + 1 - window : i + 1]) / window)
    return out


def closes(symbol):
    resp = requests.get(
        "https://www.alphavantage.co/query",
        params={"function": "TIME_SERIES_DAILY", "symbol": symbol, "apikey": os.environ["ALPHA_VANTAGE_API_KEY"]},
        timeout=10,
    )
    data = resp.json()
    if "Time Series (Daily)" not in data:
        raise SystemExit(f"{symbol}: no daily series in the answer, got {sorted(data)}")
    series = data["Time Series (Daily)"]
    return [float(series[day]["4. close"]) for day in sorted(series)]


def main():
    for symbol in WATCHLIST:
        values = closes(symbol)
        trend = "up" if values[-1] > moving_average(values, 30)[-1] else "down"
        print(f"{symbol:<6} {values[-1]:>9.2f} {trend:<5} dd {max_drawdown(values):.1%} sharpe {sharpe(values):.2f}")


if __name__ == "__main__":
    main()
