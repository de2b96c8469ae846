"""What every command shares: two streams, one way to fail, JSON, and tables that are plain when nobody looks."""

import asyncio
import gc
import json
import sys
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

import typer

from evil2root.main.failure import FAILED, USAGE, Failure

T = TypeVar("T")

__all__ = ["FAILED", "USAGE", "Failure", "print_json", "run", "say", "table", "when"]


def say(text: str) -> None:
    """Write a line for people, on standard error."""
    typer.echo(text, err=True)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; failures that are anticipated end as one line."""
    from evil2root.main.failures import translated  # noqa: PLC0415 - settings and adapters load behind it

    # Whatever a command needs has been imported: from here on there is something to collect.
    gc.freeze()
    gc.enable()
    with translated():
        return asyncio.run(work)


def print_json(value: object, *, decimals_as: type[str] | type[float] = str) -> None:
    """Print one JSON document: decimals as strings (or as numbers, for reports), times RFC 3339 in UTC."""

    def plain(one: object) -> object:
        if isinstance(one, Decimal):
            return format(one, "f") if decimals_as is str else float(one)
        return _plain(one)

    typer.echo(json.dumps(value, default=plain, indent=2, ensure_ascii=False, allow_nan=False))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    msg = f"{type(value).__name__} has no JSON form."
    raise TypeError(msg)


def when(moment: datetime | None, *, utc: bool) -> str:
    """Show a time in the local zone, or in UTC."""
    if moment is None:
        return "not yet"
    shown = moment.astimezone(UTC) if utc else moment.astimezone()
    return shown.strftime("%Y-%m-%d %H:%M %Z")


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Print a table without boxes; columns named in `right` (from 0) are aligned to the right."""
    from rich import box  # noqa: PLC0415 - a tenth of a second that --json does not pay
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    # Nobody's window limits a pipe.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 1_000)
    made = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False, header_style="dim")
    for place, header in enumerate(headers):
        is_last = place == len(headers) - 1
        made.add_column(header, justify="right" if place in right else "left", no_wrap=not is_last)
    for row in rows:
        # As text: a symbol or a reason in brackets is not markup.
        made.add_row(*(Text(cell) for cell in row))
    console.print(made)
