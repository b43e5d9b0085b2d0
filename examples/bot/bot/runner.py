"""The live loop: look, decide, trade, tell, sleep."""
from __future__ import annotations

import asyncio
import logging
import time
from datetime import datetime

from bot import config, risk, storage
from bot.broker import AlpacaBroker
from bot.fetchers import get_bars
from bot.fetchers.finnhub import fetch_quote
from bot.indicators import volatility
from bot.models import Fill
from bot.notify import Notifier, format_fill
from bot.strategy import CrossoverStrategy
from lib.sessions import is_open

log = logging.getLogger(__name__)

POLL_SECONDS = 300
STOPPED = set()  # stopped out, wait for the strategy to go flat once


async def trade_symbol(symbol, settings, broker, notifier, store):
    today = datetime.now().date()
    bars = [bar for bar in get_bars(symbol) if bar.day < today]
    if not bars:
        return
    strategy = CrossoverStrategy()
    limits = risk.RiskLimits(max_position=settings.max_position, max_daily_loss=settings.max_daily_loss)
    wanted = strategy.latest(bars)
    held, entry = broker.position(symbol)
    quote = fetch_quote(symbol)
    if not wanted:
        STOPPED.discard(symbol)
    elif held and quote.price <= risk.stop_price(entry, limits):
        STOPPED.add(symbol)
    if wanted and not held and symbol not in STOPPED:
        equity, yesterday = broker.equity()
        if risk.hit_daily_limit(equity, yesterday, limits):
            return
        vol = volatility([b.close for b in bars], strategy.vol_window)[-1]
        qty = risk.position_size(equity / len(settings.symbols), quote.price, vol, limits)
        side = "buy"
    elif held and (not wanted or symbol in STOPPED):
        qty, side = held, "sell"
    else:
        return
    if qty <= 0:
        return
    broker.submit(symbol, side, qty)
    fill = Fill(today, symbol, side, qty, broker.last_price(symbol), 0.0)
    store.save(fill)
    try:
        notifier.send(format_fill(fill), level="trade")
    except Exception:
        pass


async def loop():
    settings = config.load()
    broker = AlpacaBroker(settings.alpaca_key_id, settings.alpaca_secret)
    notifier = Notifier(settings.webhook_url)
    store = storage.TradeStore("trades.db")
    while True:
        if is_open(datetime.now()):
            jobs = [trade_symbol(s, settings, broker, notifier, store) for s in settings.symbols]
            await asyncio.gather(*jobs)
        time.sleep(POLL_SECONDS)


def main():
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    asyncio.run(loop())
