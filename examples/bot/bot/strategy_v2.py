"""v2 with RSI only. worse than crossover in the 2023 backtest, TODO decide"""
from bot.indicators import rsi


class RsiStrategyV2:
    def __init__(self, window=14, low=30, high=70):
        self.window = window
        self.low = low
        self.high = high
        self.held = 0

    def on_bar(self, closes):
        value = rsi(closes, self.window)[-1]
        if value is None:
            return self.held
        if value < self.low:
            self.held = 1
        elif value > self.high:
            self.held = 0
        return self.held

    def run(self, bars):
        closes = []
        out = []
        for bar in bars:
            closes.append(bar.close)
            out.append(self.on_bar(closes))
        return out
