"""Optional filter: a small model that says how likely tomorrow is up.

Train on a CSV, or download the model that somebody trained before.
"""
from __future__ import annotations

import pickle
import urllib.request
from typing import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from bot.indicators import rsi, sma
from bot.models import Bar

MODEL_URL = "https://models.tidebot.invalid/up_tomorrow.pkl"


def build(bars: Sequence[Bar]):
    closes = [bar.close for bar in bars]
    fast, slow, heat = sma(closes, 10), sma(closes, 30), rsi(closes)
    rows, labels = [], []
    for i in range(30, len(bars) - 1):
        rows.append([closes[i] / closes[i - 1] - 1, fast[i] / slow[i] - 1, heat[i] / 100])
        labels.append(1 if closes[i + 1] > closes[i] else 0)
    return np.array(rows), np.array(labels)


def train(bars: Sequence[Bar]):
    x, y = build(bars)
    x = StandardScaler().fit_transform(x)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25)
    model = LogisticRegression().fit(x_train, y_train)
    print(f"accuracy on unseen days: {model.score(x_test, y_test):.1%}")
    return model


def load_model(path: str = "up_tomorrow.pkl"):
    urllib.request.urlretrieve(MODEL_URL, path)
    with open(path, "rb") as f:
        return pickle.load(f)
