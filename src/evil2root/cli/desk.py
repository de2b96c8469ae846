"""Commands to a running app: halt, resume, close, reconcile."""

import sys
from typing import Annotated, Any

import typer

from evil2root.cli.console import FAILED, USAGE, Failure, print_json, run, say, table

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def add_to(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command(epilog="Example: evil2root halt --reason 'odd prices'")(halt)
    app.command(epilog="Example: evil2root resume --reason 'prices are back'")(resume)
    app.command(epilog="Example: evil2root close AAPL --quantity 10")(close)
    app.command(epilog="Example: evil2root reconcile --adopt AAPL --reason 'bought by hand'")(reconcile)


def halt(
    reason: Annotated[str, typer.Option(help="Kept in the audit log.")] = "by the command line",
    cancel: Annotated[bool, typer.Option("--cancel", help="Also cancel working entries.")] = False,  # noqa: FBT002
    flatten: Annotated[bool, typer.Option("--flatten", help="Also close every position.")] = False,  # noqa: FBT002
    yes: Yes = False,  # noqa: FBT002
) -> None:
    """Stop entries until somebody resumes; stops, targets and exits go on."""
    from evil2root.main.halt_file import write_halt_file  # noqa: PLC0415

    if flatten:
        _sure("Close every position at the next open?", yes=yes)
    written = write_halt_file(reason)
    from evil2root.main import asking  # noqa: PLC0415 - slow to load, and entries are stopped already

    typer.echo(run(asking.halt(written, reason=reason, cancel=cancel, flatten=flatten)))


def resume(
    reason: Annotated[str, typer.Option(help="Why trading may go on; kept in the audit log.")],
    symbol: Annotated[str | None, typer.Option(help="Only thaw this symbol, which something odd froze.")] = None,
) -> None:
    """Allow entries again."""
    from evil2root.main import asking  # noqa: PLC0415

    typer.echo(run(asking.resume(reason=reason) if symbol is None else asking.thaw(symbol, reason=reason)))


def close(
    symbol: Annotated[str, typer.Argument()],
    quantity: Annotated[str | None, typer.Option(help="Units to close; by default all.")] = None,
    yes: Yes = False,  # noqa: FBT002
) -> None:
    """Close a position, or a part of it, at the next open."""
    from evil2root.main import asking  # noqa: PLC0415

    _sure(f"Close {quantity or 'all'} of {symbol} at the next open?", yes=yes)
    typer.echo(run(asking.close(symbol, quantity=quantity)))


def reconcile(  # noqa: PLR0913 - one option a decision
    adopt: Annotated[
        str | None, typer.Option(metavar="WHAT", help="Book what the broker has of a symbol or `cash`.")
    ] = None,
    close: Annotated[str | None, typer.Option(metavar="SYMBOL", help="Book what the broker has, and close it.")] = None,
    ignore: Annotated[
        str | None, typer.Option(metavar="WHAT", help="Let the difference be: it is somebody else's.")
    ] = None,
    placed: Annotated[
        str | None, typer.Option(metavar="ORDER", help="This order of unknown outcome is at the broker.")
    ] = None,
    not_placed: Annotated[str | None, typer.Option(metavar="ORDER", help="It is not.")] = None,
    reason: Annotated[str, typer.Option(help="Kept in the audit log.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,  # noqa: FBT002
) -> None:
    """Compare the books with the broker's, and settle what differs. Exit 1 while something does."""
    from evil2root.main import asking  # noqa: PLC0415

    asked = {"adopt": adopt, "close": close, "ignore": ignore, "placed": placed, "not placed": not_placed}
    given = [(how, what) for how, what in asked.items() if what is not None]
    if len(given) > 1:
        text = f"Settle one thing at a time, not {' and '.join(how for how, _ in given)}."
        raise Failure(text, code=USAGE)
    if given and not reason.strip():
        text = "Say why, as in --reason 'bought by hand': it is kept in the audit log."
        raise Failure(text, code=USAGE)
    for how, what in given:
        if how in ("placed", "not placed"):
            say(run(asking.confirm(str(what), placed=how == "placed", reason=reason)))
        else:
            say(run(asking.settle(str(what), how=how, reason=reason)))
    found = run(asking.compare())
    if as_json:
        print_json(found)
    else:
        _tell(found)
    if found["unsure"] or found["differences"]:
        raise typer.Exit(FAILED)


def _tell(found: dict[str, Any]) -> None:
    if found["unsure"]:
        typer.echo(found["unsure"])
    elif not found["differences"]:
        typer.echo("Our books and the broker's agree: cash and every position.")
    else:
        table(("What", "Ours", "The broker's"), [(d["what"], d["ours"], d["theirs"]) for d in found["differences"]],
              right=(1, 2))  # fmt: skip
        say("Settle each: evil2root reconcile --adopt WHAT (or --close, --ignore) --reason '...'")
    for what, extra in found["ignored"].items():
        typer.echo(f"Let be: the broker has {extra} more of {what}.")
    for one in found["frozen"]:
        typer.echo(f"Frozen: {one['symbol']}, {one['reason']}. `evil2root resume --symbol {one['symbol']}` ends it.")
    for one in found["doubtful"]:
        typer.echo(f"In doubt: {one['side']} {one['quantity']} {one['symbol']}, {one['client_order_id']}: {one['why']}")
    if found["external"]:
        rows = [(e["symbol"], e["side"], e["left"] or "", e["kind"], e["broker_order_id"]) for e in found["external"]]
        table(("Not ours", "Side", "Left", "Kind", "Order"), rows, right=(2,))


def _sure(question: str, *, yes: bool) -> None:
    """Ask whoever sits there; a script said it by calling."""
    if not yes and sys.stdin.isatty() and not typer.confirm(question, err=True):
        text = "Nothing was done."
        raise Failure(text)
