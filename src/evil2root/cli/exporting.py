"""`data export --features`: its progress, and what it says of what is lacking."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from evil2root.cli.console import print_json, run, say


def export_features(symbols: Sequence[str], interval: str, output: Path, *, as_json: bool) -> None:
    """Write features of stored series; say which neighbours to fetch, and why there are no company dates."""
    from evil2root.main.exporting import features_out  # noqa: PLC0415

    with counted(len(symbols), quiet=as_json) as tell:
        made = run(features_out(symbols, output, step=interval, tell=tell))
    if as_json:
        print_json(_document(made, interval))
        return
    for one in made.files:
        empty = f", {len(one.empty)} of them without a value" if one.empty else ""
        typer.echo(
            f"{one.bars} bars of {one.symbol} {interval} with {one.features} features{empty} written to {one.file}."
        )
    if made.lacking:
        say(
            f"Nothing new enough is stored of {', '.join(made.lacking)}: features of them are null. To have them: {made.fetch}"
        )
    if made.no_events:
        whose = ", ".join(made.no_events)
        why = next(iter(made.no_events.values())).rstrip(".")
        say(f"No company dates{f' of {whose}' * bool(whose)}: features of them are null. {why}.")


def _document(made: Any, interval: str) -> dict[str, object]:
    from evil2root.domain.market.around.registry import AROUND_HASH  # noqa: PLC0415 - loads what computes them
    from evil2root.domain.market.catalogue.registry import CATALOGUE_HASH  # noqa: PLC0415
    from evil2root.domain.market.features import FEATURES_HASH  # noqa: PLC0415

    return {
        "interval": interval, "features_hash": FEATURES_HASH, "catalogue_hash": CATALOGUE_HASH,
        "around_hash": AROUND_HASH,
        "files": [
            {"symbol": one.symbol, "file": str(one.file), "bars": one.bars, "first": one.first, "last": one.last,
             "features": one.features, "empty": one.empty}
            for one in made.files
        ],
        "lacking": made.lacking, "fetch": made.fetch or None, "events_from": made.events_from,
        "no_events": [{"symbol": symbol or None, "why": why} for symbol, why in made.no_events.items()],
    }  # fmt: skip


@contextmanager
def counted(total: int, *, quiet: bool) -> Iterator[Callable[[str, int], None]]:
    """Yield what takes how many symbols are done; it draws on a terminal only."""
    if quiet or not sys.stderr.isatty():
        yield lambda _says, _done: None
        return
    from rich.console import Console  # noqa: PLC0415 - a tenth of a second that a pipe does not pay
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        row = bars.add_task("Features", total=total)
        yield lambda says, done: bars.update(row, description=says, completed=done)
