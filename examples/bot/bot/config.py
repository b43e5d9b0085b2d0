"""Settings. Everything comes from the environment, see README."""
from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import List

try:
    from dotenv import load_dotenv

    load_dotenv()
except ImportError:  # fine in tests and CI
    pass


def _float(name: str, default: float) -> float:
    raw = os.getenv(name, "").strip()
    if not raw:
        return default
    try:
        return float(raw)
    except ValueError:
        raise SystemExit(f"{name} must be a number, got {raw!r}")


def _symbols(raw: str) -> List[str]:
    return [s.strip().upper() for s in raw.split(",") if s.strip()]


@dataclass
class Settings:
    alpha_vantage_key: str = ""
    polygon_key: str = ""
    finnhub_token: str = ""
    alpaca_key_id: str = ""
    alpaca_secret: str = ""
    webhook_url: str = ""
    symbols: List[str] = field(default_factory=lambda: ["AAPL"])
    cash: float = 10_000.0
    fee_bps: float = 1.0
    slippage_bps: float = 2.0
    max_position: float = 0.95
    max_daily_loss: float = 0.03


def load() -> Settings:
    return Settings(
        alpha_vantage_key=os.getenv("ALPHA_VANTAGE_API_KEY", ""),
        polygon_key=os.getenv("POLYGON_API_KEY", ""),
        finnhub_token=os.getenv("FINNHUB_TOKEN", ""),
        alpaca_key_id=os.getenv("ALPACA_KEY_ID", ""),
        alpaca_secret=os.getenv("ALPACA_SECRET_KEY", ""),
        webhook_url=os.getenv("TIDE_WEBHOOK_URL", ""),
        symbols=_symbols(os.getenv("TIDE_SYMBOLS", "AAPL")),
        cash=_float("TIDE_CASH", 10_000.0),
        fee_bps=_float("TIDE_FEE_BPS", 1.0),
        slippage_bps=_float("TIDE_SLIPPAGE_BPS", 2.0),
        max_position=_float("TIDE_MAX_POSITION", 0.95),
        max_daily_loss=_float("TIDE_MAX_DAILY_LOSS", 0.03),
    )
