"""Commands on bars: import, export, check."""

from pathlib import Path
from typing import Annotated

import typer

from evil2root.cli.books import moment
from evil2root.cli.console import Failure, print_json, run, table, when
from evil2root.cli.exporting import export_features

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
REASONS_MAX = 5
"""Lines on what was set aside; the rest is in the report on the data."""
Step = Annotated[str, typer.Option("--interval", help="Bar length: 1m 5m 15m 30m 1h 4h 1d.")]


def add_to(app: typer.Typer) -> None:
    """Add this group's commands."""
    data = typer.Typer(no_args_is_help=True, help="Stored bars.", rich_markup_mode=None)
    data.command("fetch", epilog="Example: evil2root data fetch AAPL MSFT --interval 1d --start 2020-01-01")(data_fetch)
    data.command("import", epilog="Example: evil2root data import GOOG.csv --symbol GOOG --interval 1d")(data_import)
    data.command("export", epilog="Example: evil2root data export AAPL MSFT --interval 1d --features -o features/")(
        data_export
    )
    data.command("check", epilog="Example: evil2root data check AAPL --json")(data_check)
    app.add_typer(data, name="data")


def data_fetch(  # noqa: PLR0913 - a stretch of several series, and how it is told
    symbols: Annotated[list[str], typer.Argument(help="As AAPL, BTC-USD or EURUSD=X.")],
    interval: Step,
    start: Annotated[str, typer.Option(help="First moment, like 2020-01-01 or 2020-01-01T14:30:00Z.")],
    end: Annotated[str | None, typer.Option(help="The moment behind the last; by default now.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Ask for stored bars too, to hear restatements.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Fetch what is not stored yet from EVIL2ROOT_MARKET_DATA; broken off, it goes on where it was."""
    from evil2root.cli.fetching import shown  # noqa: PLC0415
    from evil2root.main.fetching import fetch  # noqa: PLC0415

    begin = moment(start, option="--start")
    until = None if end is None else moment(end, option="--end")
    with shown(quiet=as_json) as tell:
        found = run(fetch(symbols, step=interval, start=begin, end=until, again=again, tell=tell))
    if as_json:
        print_json([
            {"symbol": one.symbol, "interval": interval, "new": one.new, "told": one.told, "set_aside": one.set_aside,
             "lacking": one.lacking, "windows": one.windows, "done": one.done, "stored_before": one.stored, "problem": one.problem or None}
            for one in found
        ])  # fmt: skip
    else:
        for one in found:
            aside = f", {one.set_aside:,} rows set aside (`evil2root data check {one.symbol}`)" if one.set_aside else ""
            lacking = f", {one.lacking:,} the calendar has were told by nobody" if one.lacking else ""
            typer.echo(f"{one.symbol} {interval}: {one.new:,} new bars{lacking}{aside}.")
    problems = [f"{one.symbol}: {one.problem}" for one in found if one.problem]
    if problems:
        text = f"{'; '.join(problems)}. What was fetched is kept: run it again to go on."
        raise Failure(text)


def data_import(  # noqa: PLR0913 - whose bars they are, and how far they are believed
    file: Annotated[Path, typer.Argument(help="CSV with time,open,high,low,close,volume, or Parquet.")],
    symbol: Annotated[str, typer.Option(help="What the bars are of, as AAPL, BTC-USD or EURUSD=X.")],
    interval: Step,
    replace: Annotated[bool, typer.Option("--replace", help="Let differing bars replace the stored ones.")] = False,  # noqa: FBT002
    as_is: Annotated[bool, typer.Option("--as-is", help="Believe every bar: set none aside.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Store the bars of a file; what can't be true of a market is set aside, what is there already is not stored twice."""
    from evil2root.main.storage import take_in  # noqa: PLC0415

    taken = run(take_in(file, symbol=symbol, step=interval, replace=replace, as_is=as_is))
    added = taken.added
    if as_json:
        print_json({"symbol": symbol, "interval": interval, "new": added.new, "same": added.same,
                    "different": added.different, "replaced": replace, "first_different": added.first_different,
                    "set_aside": taken.set_aside, "why_set_aside": taken.why})  # fmt: skip
        return
    typer.echo(f"{added.new} new bars of {symbol} {interval}, {added.same} already there.")
    if taken.set_aside:
        typer.echo(f"{taken.set_aside} rows were set aside, not stored as bars (--as-is believes them):")
        for why in taken.why[:REASONS_MAX]:
            typer.echo(f"  {why}")
        if len(taken.why) > REASONS_MAX:
            typer.echo(f"  and {len(taken.why) - REASONS_MAX} more: `evil2root data check {symbol}` lists them.")
    if added.different:
        kept = "were replaced" if replace else "were kept as stored; --replace lets the file win"
        typer.echo(
            f"{added.different} bars differ from those stored, first {when(added.first_different, utc=True)}; they {kept}."
        )


def data_export(
    symbols: Annotated[list[str], typer.Argument()],
    interval: Step,
    output: Annotated[Path, typer.Option("-o", "--output", help="The Parquet file to write (one symbol), or a folder, which has no ending.")],
    features: Annotated[bool, typer.Option("--features", help="Write features instead, also of what is around: index, VIX, rates, sector, rank among the symbols named, company dates.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:  # fmt: skip
    """Write stored series to Parquet files: raw prices and their factor, or with --features all that is made of them."""
    if features:
        export_features(symbols, interval, output, as_json=as_json)
        return
    from evil2root.main.exporting import bars_out  # noqa: PLC0415

    made = run(bars_out(symbols, output, step=interval))
    if as_json:
        print_json([{"symbol": one.symbol, "interval": interval, "file": str(one.file), "bars": one.bars,
                     "first": one.first, "last": one.last} for one in made])  # fmt: skip
        return
    for one in made:
        typer.echo(f"{one.bars} bars of {one.symbol} {interval} written to {one.file}.")


def data_check(
    symbols: Annotated[list[str] | None, typer.Argument(help="By default all that are stored.")] = None,
    interval: Annotated[str | None, typer.Option(help="Only this bar length.")] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Look over stored bars and name what is odd."""
    from evil2root.main.storage import examine  # noqa: PLC0415

    found = run(examine(symbols or [], step=interval))
    if as_json:
        print_json(found)
        return
    if not found:
        typer.echo("No bars are stored yet: `evil2root data import FILE --symbol S --interval I`, or `evil2root demo`.")
        return
    rows = [
        (
            r["symbol"],
            r["interval"],
            f"{r['bars']:,}",
            when(r["first"], utc=True) if r["first"] else "none",
            when(r["last"], utc=True) if r["last"] else "none",
            str(len(r["issues"])),
        )
        for r in found
    ]
    table(("Symbol", "Interval", "Bars", "First", "Last", "Issues"), rows, right=(2, 5))
    for r in found:
        for issue in r["issues"]:
            typer.echo(
                f"{r['symbol']} {issue['kind']} {when(issue['start'], utc=True)}: {issue['detail']} ({issue['action']})"
            )
