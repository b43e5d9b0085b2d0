"""Finnhub quotes, for the live loop."""
from __future__ import annotations

import logging

import requests

from bot import config
from bot.models import Quote
from bot.normalize import from_finnhub_quote

log = logging.getLogger(__name__)


def fetch_quote(symbol: str) -> Quote:
    url = f"https://finnhub.io/api/v1/quote?symbol={symbol}&token={config.load().finnhub_token}"
    log.info("GET %s", url)
    resp = requests.get(url)
    resp.raise_for_status()
    return from_finnhub_quote(resp.json(), symbol)
