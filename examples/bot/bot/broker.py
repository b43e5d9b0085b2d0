"""Brokers: a paper account and Alpaca."""
from __future__ import annotations

import logging
import time
from datetime import date
from typing import Dict, List, Tuple

from bot.models import Fill

log = logging.getLogger(__name__)


class NotEnoughMoney(Exception):
    pass


class PaperBroker:
    """Fills at once at the given price, plus slippage and fees. No shorting, no credit."""

    def __init__(self, cash: float, fee_bps: float = 1.0, slippage_bps: float = 2.0):
        self.cash = cash
        self.fee_bps = fee_bps
        self.slippage_bps = slippage_bps
        self.positions: Dict[str, int] = {}
        self.fills: List[Fill] = []

    def position(self, symbol: str) -> int:
        return self.positions.get(symbol, 0)

    def cost_of(self, qty: int, price: float) -> float:
        """Cash needed to buy, with slippage and fee."""
        filled = price * (1 + self.slippage_bps / 10_000)
        return qty * filled * (1 + self.fee_bps / 10_000)

    def buy(self, symbol: str, qty: int, price: float, day: date) -> Fill:
        if qty <= 0:
            raise ValueError("qty must be positive")
        if self.cost_of(qty, price) > self.cash + 1e-9:
            raise NotEnoughMoney(f"{qty} {symbol} at {price:.2f} with {self.cash:.2f} cash")
        return self._fill(symbol, "buy", qty, price * (1 + self.slippage_bps / 10_000), day)

    def sell(self, symbol: str, qty: int, price: float, day: date) -> Fill:
        if qty <= 0 or qty > self.position(symbol):
            raise ValueError(f"cannot sell {qty}, have {self.position(symbol)}")
        return self._fill(symbol, "sell", qty, price * (1 - self.slippage_bps / 10_000), day)

    def _fill(self, symbol: str, side: str, qty: int, price: float, day: date) -> Fill:
        fill = Fill(day, symbol, side, qty, price, qty * price * self.fee_bps / 10_000)
        self.cash += fill.cash_flow
        self.positions[symbol] = self.position(symbol) + (qty if side == "buy" else -qty)
        self.fills.append(fill)
        return fill

    def equity(self, prices: Dict[str, float]) -> float:
        return self.cash + sum(qty * prices[s] for s, qty in self.positions.items() if qty)


class AlpacaBroker:
    BASE = "https://paper-api.alpaca.markets"

    def __init__(self, key_id: str, secret: str):
        import requests

        self.session = requests.Session()
        self.session.headers.update({"APCA-API-KEY-ID": key_id, "APCA-API-SECRET-KEY": secret})

    def position(self, symbol: str) -> Tuple[int, float]:
        """Shares held and what they cost on average."""
        resp = self.session.get(f"{self.BASE}/v2/positions/{symbol}", timeout=10)
        if resp.status_code == 404:
            return 0, 0.0
        resp.raise_for_status()
        data = resp.json()
        return int(float(data["qty"])), float(data["avg_entry_price"])

    def equity(self) -> Tuple[float, float]:
        """Now, and at yesterday's close."""
        resp = self.session.get(f"{self.BASE}/v2/account", timeout=10)
        resp.raise_for_status()
        data = resp.json()
        return float(data["equity"]), float(data["last_equity"])

    def last_price(self, symbol: str) -> float:
        resp = self.session.get(f"{self.BASE}/v2/stocks/{symbol}/trades/latest", timeout=10)
        resp.raise_for_status()
        return float(resp.json()["trade"]["p"])

    def submit(self, symbol: str, side: str, qty: int) -> str:
        order = {"symbol": symbol, "side": side, "qty": str(qty), "type": "market", "time_in_force": "day"}
        for attempt in range(3):
            try:
                resp = self.session.post(f"{self.BASE}/v2/orders", json=order, timeout=5)
                resp.raise_for_status()
                return resp.json()["id"]
            except OSError as exc:
                log.warning("order failed (%s), trying again", exc)
                time.sleep(2 ** attempt)
        raise RuntimeError(f"could not place {side} {qty} {symbol}")
