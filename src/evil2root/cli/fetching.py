"""The bars of `data fetch`: one a symbol, on standard error, and nothing where nobody looks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from evil2root.engine.fetching import Progress


@contextmanager
def shown(*, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Yield what takes the progress of symbols; it draws on a terminal only."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - a tenth of a second that a pipe does not pay
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bars  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[says]}"),
               TimeRemainingColumn())  # fmt: skip
    with Bars(*columns, console=Console(stderr=True)) as bars:
        rows = {}

        def tell(one: Progress) -> None:
            if one.symbol not in rows:
                rows[one.symbol] = bars.add_task(one.symbol, total=one.windows, says="")
            waits = f"waits {one.waits_s:.0f} s for the source" if one.waits_s else f"{one.new:,} new bars"
            bars.update(rows[one.symbol], completed=one.done, says=one.problem or waits)

        yield tell
