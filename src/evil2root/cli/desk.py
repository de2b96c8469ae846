"""Commands to a running app: halt, resume, close."""

import sys
from typing import Annotated

import typer

from evil2root.cli.console import Failure, run

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def add_to(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command(epilog="Example: evil2root halt --reason 'odd prices'")(halt)
    app.command(epilog="Example: evil2root resume --reason 'prices are back'")(resume)
    app.command(epilog="Example: evil2root close AAPL --quantity 10")(close)


def halt(
    reason: Annotated[str, typer.Option(help="Kept in the audit log.")] = "by the command line",
    cancel: Annotated[bool, typer.Option("--cancel", help="Also cancel working entries.")] = False,  # noqa: FBT002
    flatten: Annotated[bool, typer.Option("--flatten", help="Also close every position.")] = False,  # noqa: FBT002
    yes: Yes = False,  # noqa: FBT002
) -> None:
    """Stop entries until somebody resumes; stops, targets and exits go on."""
    from evil2root.main import asking  # noqa: PLC0415

    if flatten:
        _sure("Close every position at the next open?", yes=yes)
    typer.echo(run(asking.halt(reason=reason, cancel=cancel, flatten=flatten)))


def resume(reason: Annotated[str, typer.Option(help="Why trading may go on; kept in the audit log.")]) -> None:
    """Allow entries again."""
    from evil2root.main import asking  # noqa: PLC0415

    typer.echo(run(asking.resume(reason=reason)))


def close(
    symbol: Annotated[str, typer.Argument()],
    quantity: Annotated[str | None, typer.Option(help="Units to close; by default all.")] = None,
    yes: Yes = False,  # noqa: FBT002
) -> None:
    """Close a position, or a part of it, at the next open."""
    from evil2root.main import asking  # noqa: PLC0415

    _sure(f"Close {quantity or 'all'} of {symbol} at the next open?", yes=yes)
    typer.echo(run(asking.close(symbol, quantity=quantity)))


def _sure(question: str, *, yes: bool) -> None:
    """Ask whoever sits there; a script said it by calling."""
    if not yes and sys.stdin.isatty() and not typer.confirm(question, err=True):
        text = "Nothing was done."
        raise Failure(text)
