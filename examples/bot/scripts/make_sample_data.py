"""Writes data/sample_*.csv: a seeded random walk, not real prices."""
import math
import os
import random
import sys
from datetime import date, timedelta

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bot.models import Bar
from bot.storage import write_bars

SAMPLES = {"AAPL": (11, 150.0, 504), "MSFT": (23, 310.0, 252)}


def walk(symbol, seed, price, days):
    rng = random.Random(seed)
    day, made = date(2023, 1, 3), 0
    drift = 0.0008
    while made < days:
        if day.weekday() < 5:
            if made % 60 == 0:
                drift = rng.choice([-0.0012, 0.0006, 0.0018])
            opened = price * math.exp(rng.gauss(0, 0.004))
            closed = opened * math.exp(rng.gauss(drift, 0.013))
            high = max(opened, closed) * (1 + abs(rng.gauss(0, 0.004)))
            low = min(opened, closed) * (1 - abs(rng.gauss(0, 0.004)))
            volume = int(rng.lognormvariate(17.5, 0.3))
            yield Bar(symbol, day, round(opened, 2), round(high, 2), round(low, 2), round(closed, 2), volume)
            price, made = closed, made + 1
        day += timedelta(days=1)


if __name__ == "__main__":
    for symbol, (seed, price, days) in SAMPLES.items():
        print(symbol, write_bars(f"data/sample_{symbol}.csv", walk(symbol, seed, price, days)))
