"""The backtest command."""

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from evil2root.cli.books import moment
from evil2root.cli.console import USAGE, Failure, print_json, run, table


def add_to(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command(
        "backtest",
        epilog="Example: evil2root backtest --symbols GOOG --strategy sma_cross --set prices=raw --set fast=10 "
        "--set slow=30 --cash 10000 --json",
    )(backtest)


def backtest(  # noqa: PLR0913 - the options of the command
    symbols: Annotated[str, typer.Option(help="Comma list; by default all of the recorded history.")] = "",
    interval: Annotated[str, typer.Option(help="Bar length: 1m 5m 15m 30m 1h 4h 1d.")] = "1d",
    start: Annotated[
        str | None, typer.Option(help="Decide from here on; earlier bars warm up. Date or RFC 3339.")
    ] = None,
    end: Annotated[str | None, typer.Option(help="Bars opened before this. Date or RFC 3339.")] = None,
    strategy: Annotated[str | None, typer.Option(help="fusion, sma_cross, buy_hold or metronome.")] = None,
    cash: Annotated[str | None, typer.Option(help="Starting cash; by default EVIL2ROOT_PAPER__CASH.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="An option of the strategy, key=value.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document; all figures are numbers.")] = False,  # noqa: FBT002
    html: Annotated[Path | None, typer.Option(help="Write a tear sheet to this file.")] = None,
    trades: Annotated[Path | None, typer.Option(help="Write the closed trades to this CSV file.")] = None,
) -> None:
    """Run a strategy over recorded bars through the live decision code."""
    from evil2root.main import backtests  # noqa: PLC0415

    named = [s.strip() for s in symbols.split(",") if s.strip()]
    if symbols and not named:
        text = f"--symbols {symbols!r} names no symbol: write them like --symbols GOOG,MSFT, or leave it out for all."
        raise Failure(text, code=USAGE)
    asked = backtests.Asked(
        symbols=named, interval=interval,
        start=None if start is None else moment(start, option="--start"),
        end=None if end is None else moment(end, option="--end"), strategy=strategy, cash=cash,
        options=_options(settings or []),
    )  # fmt: skip
    done = run(backtests.perform(asked, _progress))
    backtests.write_files(done, html=html, trades=trades)
    found = backtests.as_json(done)
    if as_json:
        print_json(found, decimals_as=float)
    else:
        _tell(found, done.performance)
        for path in (html, trades):
            if path is not None:
                typer.echo(f"Written: {path}")


def _options(pairs: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            text = f"--set {pair} is no option: write key=value, as in --set fast=10."
            raise Failure(text, code=USAGE)
        if key.strip() in found:
            text = f"--set {key.strip()} is given twice: keep one of them."
            raise Failure(text, code=USAGE)
        found[key.strip()] = value.strip()
    return found


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty() and (done % 200 < 5 or done == total):
        width = 30 * done // total
        typer.echo(f"\r[{'#' * width}{'.' * (30 - width)}] {done:,} of {total:,} bars", err=True, nl=done == total)


def _tell(found: dict[str, Any], performance: Any) -> None:
    """Tell a run to a person: the answer first, then the figures beside buying and holding."""
    own, held = performance.account, performance.benchmark
    cash, final = found["initial_cash"], found["final_equity"]
    typer.echo(
        f"{found['strategy']} on {', '.join(found['symbols'])}, {found['start']:%Y-%m-%d} to {found['end']:%Y-%m-%d}: "
        f"{cash:,.2f} became {final:,.2f} ({_pct(own.return_frac)}); bought and held {_pct(held.return_frac if held else None)}."
    )
    rows = [
        ("Return", _pct(own.return_frac), _pct(held and held.return_frac)),
        ("Growth a year", _pct(own.cagr_frac), _pct(held and held.cagr_frac)),
        ("Volatility a year", _pct(own.volatility_frac, sign=False), _pct(held and held.volatility_frac, sign=False)),
        ("Sharpe", _num(own.sharpe), _num(held and held.sharpe)),
        ("Sortino", _num(own.sortino), _num(held and held.sortino)),
        ("Calmar", _num(own.calmar), _num(held and held.calmar)),
        ("Worst drawdown", _pct(own.max_drawdown_frac, sign=False), _pct(held and held.max_drawdown_frac, sign=False)),
        ("Longest under water", _days(own.underwater_longest), _days(held and held.underwater_longest)),
        ("Time in the market", _pct(performance.time_in_market_frac, sign=False), _pct(held and 1.0, sign=False)),
    ]
    table(("", "Strategy", "Buy and hold"), rows, right=(1, 2))
    t, paid = performance.trades, performance.paid
    typer.echo(
        f"{t.count} closed trades, {found['open_trades']} open; won {_pct(t.win_rate_frac, sign=False)}, "
        f"profit factor {_num(t.profit_factor)}, expectancy {_money(t.expectancy)} a trade ({_num(t.expectancy_r)} R)."
    )
    exits = Counter(trade["exit_reason"] for trade in found["trades"]).most_common()
    if exits:
        typer.echo(f"Exits: {', '.join(f'{count} by {reason}' for reason, count in exits)}.")
    typer.echo(
        f"Fees {found['fees']:,.2f}, slippage {found['slippage']:,.2f}; "
        f"turnover {_num(paid.turnover_a_year if paid else None)} times equity a year."
    )
    stopped = found["stopped"]
    if stopped is not None:
        typer.echo(
            f"No entries since {stopped['at']:%Y-%m-%d}: {stopped['reason']}. That ends {stopped['ends']}; "
            "--set NAME=none switches a limit off."
        )
    typer.echo(
        "One path over recorded prices, costs assumed, settings not tried on prices they had not seen: "
        "it says little of the future. No profit is promised."
    )


def _pct(value: float | None, *, sign: bool = True) -> str:
    return "none" if value is None else f"{value * 100:{'+' if sign else ''}.2f}%"


def _num(value: Any) -> str:
    return "none" if value is None else f"{value:.2f}"


def _money(value: Any) -> str:
    return "none" if value is None else f"{value:+,.2f}"


def _days(value: Any) -> str:
    return "none" if value is None else f"{value.days} days"
