"""python scripts/quick_quote.py AAPL MSFT ..."""
import os
import sys

import requests


def quote(symbol):
    resp = requests.get(
        "https://www.alphavantage.co/query",
        params={"function": "GLOBAL_QUOTE", "symbol": symbol, "apikey": os.environ["ALPHA_VANTAGE_API_KEY"]},
        timeout=10,
    )
    data = resp.json()
    if "Global Quote" not in data:
        raise SystemExit(f"refused: {sorted(data)}")
    return float(data["Global Quote"]["05. price"])


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(name, quote(name))
