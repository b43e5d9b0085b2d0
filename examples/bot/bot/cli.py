"""python -m bot backtest|paper|fetch|train|live"""
from __future__ import annotations

import argparse
import json
import sys

from bot import __version__, backtest, config, risk, storage
from bot.broker import PaperBroker
from bot.indicators import volatility
from bot.notify import format_fill, format_metrics
from bot.strategy import CrossoverStrategy


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bot", description="Daily crossover bot")
    parser.add_argument("--version", action="version", version=__version__)
    sub = parser.add_subparsers(dest="command", required=True)

    for name, text in (("backtest", "run over a CSV and print metrics"), ("paper", "what to do after the last bar")):
        p = sub.add_parser(name, help=text)
        p.add_argument("csv")
        p.add_argument("--fast", type=int, default=10)
        p.add_argument("--slow", type=int, default=30)
        p.add_argument("--cash", type=float)
        p.add_argument("--json", action="store_true")
        if name == "backtest":
            p.add_argument("--fee-bps", type=float)
            p.add_argument("--slippage-bps", type=float)
            p.add_argument("--trades", action="store_true", help="list the round trips too")

    p = sub.add_parser("fetch", help="download daily bars into a CSV")
    p.add_argument("symbol")
    p.add_argument("--provider", default="polygon", choices=["alphavantage", "polygon", "yahoo"])
    p.add_argument("--out")

    p = sub.add_parser("train", help="fit the up-tomorrow filter on a CSV, or score the downloaded one")
    p.add_argument("csv")
    p.add_argument("--pretrained", action="store_true")

    sub.add_parser("live", help="trade on Alpaca until stopped")
    return parser


def _or(value, default):
    return default if value is None else value


def cmd_backtest(args, settings) -> int:
    bars = storage.read_bars(args.csv)
    result = backtest.run(
        bars,
        CrossoverStrategy(args.fast, args.slow),
        risk.RiskLimits(max_position=settings.max_position, max_daily_loss=settings.max_daily_loss),
        cash=_or(args.cash, settings.cash),
        fee_bps=_or(args.fee_bps, settings.fee_bps),
        slippage_bps=_or(args.slippage_bps, settings.slippage_bps),
    )
    values = result.metrics()
    if args.json:
        print(json.dumps({k: round(v, 6) for k, v in values.items()}, indent=2))
        return 0
    print(f"{bars[0].symbol}: {len(bars)} bars, {bars[0].day} to {bars[-1].day}" if bars else "no bars")
    print(format_metrics(values) if bars else "")
    if args.trades:
        for t in result.trades:
            print(f"{t.entry_day} -> {t.exit_day} {t.qty:>5} @ {t.entry_price:.2f} -> {t.exit_price:.2f} "
                  f"{t.pnl:>+10.2f} {t.reason}")
    return 0 if bars else 1


def cmd_paper(args, settings) -> int:
    bars = storage.read_bars(args.csv)
    strategy = CrossoverStrategy(args.fast, args.slow)
    if len(bars) < strategy.warmup:
        print(f"need {strategy.warmup} bars, have {len(bars)}", file=sys.stderr)
        return 1
    last = bars[-1]
    broker = PaperBroker(_or(args.cash, settings.cash), settings.fee_bps, settings.slippage_bps)
    if strategy.latest(bars):
        vol = volatility([b.close for b in bars], strategy.vol_window)[-1]
        qty = risk.position_size(broker.cash, last.close, vol, risk.RiskLimits(max_position=settings.max_position))
        text = format_fill(broker.buy(last.symbol, qty, last.close, last.day)) if qty else "FLAT (too small)"
    else:
        text = "FLAT"
    print(json.dumps({"day": last.day.isoformat(), "action": text}) if args.json else f"{last.day} {text}")
    return 0


def cmd_fetch(args) -> int:
    from bot.fetchers import get_bars

    bars = get_bars(args.symbol.upper(), args.provider)
    out = args.out or f"data/{args.provider}_{args.symbol.upper()}.csv"
    print(f"{storage.write_bars(out, bars)} bars -> {out}")
    return 0


def cmd_train(args) -> int:
    from bot import features

    bars = storage.read_bars(args.csv)
    model = features.load_model() if args.pretrained else features.train(bars)
    rows, _ = features.build(bars)
    print(f"up tomorrow: {model.predict_proba(rows[-1:])[0][1]:.0%}")
    return 0


def main(argv=None) -> int:
    args = build_parser().parse_args(argv)
    if args.command == "live":
        from bot import runner

        runner.main()
        return 0
    if args.command == "fetch":
        return cmd_fetch(args)
    if args.command == "train":
        return cmd_train(args)
    settings = config.load()
    return cmd_backtest(args, settings) if args.command == "backtest" else cmd_paper(args, settings)
