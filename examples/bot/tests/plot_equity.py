"""python tests/plot_equity.py: equity curve as text, to eyeball a change"""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

from bot import backtest
from bot.storage import read_bars

if __name__ == "__main__":
    equity = backtest.run(read_bars(os.path.join(ROOT, "data", "sample_AAPL.csv"))).equity
    for i in range(0, len(equity), 10):
        print(f"{i:>4} {'#' * int(equity[i] / 250)} {equity[i]:.0f}")
