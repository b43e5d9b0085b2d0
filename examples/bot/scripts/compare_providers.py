"""Do the providers agree on the last closes?"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bot.fetchers.polygon import fetch_daily
from bot.fetchers.yahoo import fetch_history


def main(symbol):
    ours = {b.day: b.close for b in fetch_daily(symbol, days=30)}
    theirs = {b.day: b.close for b in fetch_history(symbol)}
    for day in sorted(set(ours) & set(theirs)):
        gap = ours[day] / theirs[day] - 1
        print(day, f"{ours[day]:.2f} {theirs[day]:.2f} {gap:+.3%}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "AAPL")
