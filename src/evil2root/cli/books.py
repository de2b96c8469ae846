"""Commands that look into the books: decisions, explain, replay, orders, positions, trades, fills, status, ledger."""

import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from evil2root.cli.console import FAILED, USAGE, Failure, print_json, run, say, table, when
from evil2root.cli.telling import in_full, in_short

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Utc = Annotated[bool, typer.Option("--utc", help="Show times in UTC.")]
Symbol = Annotated[str | None, typer.Option("--symbol", help="Only this symbol.")]
Id = Annotated[str, typer.Argument(metavar="ID")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most so many, newest first.")]


def add_to(app: typer.Typer) -> None:
    """Add this group's commands."""
    decisions = typer.Typer(no_args_is_help=True, help="What was decided, and why.", rich_markup_mode=None)
    decisions.command("list", epilog="Example: evil2root decisions list --symbol AAPL --limit 20")(decisions_list)
    decisions.command("show", epilog="Example: evil2root decisions show D-2419 --json")(decisions_show)
    decisions.command("why", epilog="Example: evil2root decisions why AAPL --at 2004-06-01")(decisions_why)
    app.add_typer(decisions, name="decisions")
    app.command(epilog="Example: evil2root explain D-2419")(explain)
    app.command(epilog="Example: evil2root replay D-2419 --json")(replay)
    _list_group(app, "orders", orders_list)
    _list_group(app, "positions", positions_list)
    _list_group(app, "trades", trades_list)
    _list_group(app, "fills", fills_list)
    app.command(epilog="Example: evil2root status --json")(status)
    ledger = typer.Typer(no_args_is_help=True, help="The ledger.", rich_markup_mode=None)
    ledger.command("verify", epilog="Example: evil2root ledger verify")(ledger_verify)
    ledger.callback()(lambda: None)
    app.add_typer(ledger, name="ledger")


def _list_group(app: typer.Typer, name: str, command: Any) -> None:
    group = typer.Typer(no_args_is_help=True, help=f"The account's {name}.", rich_markup_mode=None)
    group.command("list", epilog=f"Example: evil2root {name} list --json")(command)
    group.callback()(lambda: None)  # one command alone would lose its name
    app.add_typer(group, name=name)


def decisions_list(
    symbol: Symbol = None,
    outcome: Annotated[str | None, typer.Option(help="Only this outcome, as `ordered` or `rejected`.")] = None,
    limit: Limit = 30,
    as_json: AsJson = False,  # noqa: FBT002 - a flag, as all of its kind here
    utc: Utc = False,  # noqa: FBT002
) -> None:
    """List decisions, newest first."""
    from evil2root.domain.kernel.record import Outcome  # noqa: PLC0415
    from evil2root.main import lookups  # noqa: PLC0415

    if outcome is not None and outcome not in {o.value for o in Outcome}:
        text = f"--outcome {outcome} is not known; use one of {', '.join(o.value for o in Outcome)}."
        raise Failure(text, code=USAGE)
    rows = run(lookups.decisions(symbol=symbol, outcome=outcome, limit=limit))
    if as_json:
        print_json(rows)
        return
    cells = [
        (r["id"], _time(r["at"], utc=utc), r["symbol"], r["wants"], _number(r["score"], "+.2f"), r["outcome"],
         r["why_not"] or r["why"])
        for r in rows
    ]  # fmt: skip
    _table_or(("Decision", "At", "Symbol", "Wants", "Fused", "Outcome", "Why"), cells, right=(4,))


def decisions_show(decision_id: Id, as_json: AsJson = False, utc: Utc = False) -> None:  # noqa: FBT002
    """Show one decision whole."""
    from evil2root.main import lookups  # noqa: PLC0415

    told = run(lookups.decision(decision_id))
    if as_json:
        print_json(lookups.as_json(told.decision))
    else:
        typer.echo(in_full(told.decision, told.fate, told.mark, told.rate, utc=utc))


def decisions_why(
    symbol: Annotated[str, typer.Argument()],
    at: Annotated[
        str | None, typer.Option(help="The latest decision at or before this time (RFC 3339 or a date).")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
    utc: Utc = False,  # noqa: FBT002
) -> None:
    """Say why something was done, or nothing, in a symbol."""
    from evil2root.main import lookups  # noqa: PLC0415

    told = run(lookups.latest(symbol, at=None if at is None else moment(at, option="--at")))
    if as_json:
        print_json(lookups.as_json(told.decision))
    else:
        typer.echo(in_full(told.decision, told.fate, told.mark, told.rate, utc=utc))


def explain(decision_id: Id, as_json: AsJson = False, utc: Utc = False) -> None:  # noqa: FBT002
    """Explain a decision in a few lines, from its stored facts."""
    from evil2root.main import lookups  # noqa: PLC0415

    told = run(lookups.decision(decision_id))
    if as_json:
        print_json(lookups.as_json(told.decision))
    else:
        typer.echo(in_short(told.decision, told.fate, told.mark, told.rate, utc=utc))


def replay(
    decision_id: Annotated[str | None, typer.Argument(metavar="ID")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Recompute every decision.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Recompute a decision from what was stored; exit 0 only if it is identical."""
    from evil2root.main import lookups  # noqa: PLC0415

    if (decision_id is None) == (not everything):
        text = "Name one decision, as in `evil2root replay D-2419`, or give --all."
        raise Failure(text, code=USAGE)
    if decision_id is not None:
        result = run(lookups.replay_one(decision_id))
        if as_json:
            print_json(result)
        elif result["identical"]:
            typer.echo(f"{decision_id} is identical.")
        else:
            for d in result["differences"]:
                typer.echo(f"{decision_id} {d['field']}: stored {d['stored']}, recomputed {d['recomputed']}")
        if not result["identical"]:
            say(
                f"{decision_id} is not what its stored bars give: `evil2root ledger verify` checks the rest of the books."
            )
            raise typer.Exit(FAILED)
        return
    total, different = run(lookups.replay_all(_progress))
    if as_json:
        named = {key: [d.field for d in found.differences] for key, found in different.items()}
        print_json({"decisions": total, "identical": total - len(different), "different": named})
    else:
        for key, found in different.items():
            typer.echo(f"{key}: {', '.join(d.field for d in found.differences)}")
        typer.echo(f"{total - len(different)} of {total} decisions are identical.")
    if different:
        raise typer.Exit(FAILED)


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty() and (done % 50 == 0 or done == total):
        typer.echo(f"\rRecomputed {done} of {total}", err=True, nl=done == total)


def orders_list(
    symbol: Symbol = None,
    only_open: Annotated[bool, typer.Option("--open", help="Only orders that may still fill.")] = False,  # noqa: FBT002
    limit: Limit = 30,
    as_json: AsJson = False,  # noqa: FBT002
    utc: Utc = False,  # noqa: FBT002
) -> None:
    """List orders, newest first."""
    from evil2root.main import lookups  # noqa: PLC0415

    rows = run(lookups.orders(symbol=symbol, only_open=only_open, limit=limit))
    if as_json:
        print_json(rows)
        return
    cells = [
        (_time(r["created_at"], utc=utc), r["decision_id"], r["symbol"], r["side"], r["kind"], r["quantity"],
         r["price"] or "market", r["filled_quantity"], r["state"])
        for r in rows
    ]  # fmt: skip
    _table_or(
        ("At", "Decision", "Symbol", "Side", "Kind", "Quantity", "Price", "Filled", "State"), cells, right=(5, 6, 7)
    )


def fills_list(symbol: Symbol = None, limit: Limit = 30, as_json: AsJson = False, utc: Utc = False) -> None:  # noqa: FBT002
    """List fills, newest first."""
    from evil2root.main import lookups  # noqa: PLC0415

    rows = run(lookups.fills(symbol=symbol, limit=limit))
    if as_json:
        print_json(rows)
        return
    cells = [(_time(r["at"], utc=utc), r["symbol"], r["side"], r["quantity"], r["price"], r["fee"]) for r in rows]
    _table_or(("At", "Symbol", "Side", "Quantity", "Price", "Fee"), cells, right=(3, 4, 5))


def trades_list(symbol: Symbol = None, limit: Limit = 30, as_json: AsJson = False, utc: Utc = False) -> None:  # noqa: FBT002
    """List closed round trips, newest first."""
    from evil2root.main import lookups  # noqa: PLC0415

    rows = run(lookups.trades(symbol=symbol, limit=limit))
    if as_json:
        print_json(rows)
        return
    cells = [
        (_time(r["exit_time"], utc=utc), r["symbol"], r["side"], r["quantity"], r["entry_price"], r["exit_price"],
         r["pnl"], r["exit_reason"])
        for r in rows
    ]  # fmt: skip
    _table_or(("Closed", "Symbol", "Side", "Quantity", "Entry", "Exit", "P&L", "Reason"), cells, right=(3, 4, 5, 6))


def positions_list(as_json: AsJson = False, utc: Utc = False) -> None:  # noqa: FBT002
    """List what is held."""
    from evil2root.main import lookups  # noqa: PLC0415

    rows = run(lookups.positions())
    if as_json:
        print_json(rows)
        return
    cells = [
        (r["symbol"], r["currency"], r["quantity"], r["average_price"], r["mark"], r["unrealised"], r["stop"] or "none",
         r["target"] or "none", _time(r["opened_at"], utc=utc), r["decision_id"])
        for r in rows
    ]  # fmt: skip
    headers = ("Symbol", "Quoted in", "Quantity", "Entry", "Last", "P&L", "Stop", "Target", "Opened", "Decision")
    _table_or(headers, cells, right=(2, 3, 4, 5, 6, 7))


def status(as_json: AsJson = False, utc: Utc = False) -> None:  # noqa: FBT002
    """Say how the account stands."""
    from evil2root.main import lookups  # noqa: PLC0415

    found = run(lookups.account())
    if as_json:
        print_json(found)
    elif found is None:
        typer.echo("Nothing has been traded here yet. Try: evil2root demo")
    else:
        typer.echo(f"App         {_app(found)}")
        typer.echo(f"Equity      {found['equity']:,.2f}, cash {found['cash']:,.2f}, {found['positions']} positions")
        typer.echo(f"Trading     {_switch(found)}")
        typer.echo(f"Decisions   {found['decisions']}, the last at {when(found['worked_through'], utc=utc)}")


def ledger_verify(as_json: AsJson = False) -> None:  # noqa: FBT002
    """Recompute every balance and invariant from the journal; exit 1 names the first breach."""
    from evil2root.main import lookups  # noqa: PLC0415

    breach, counts = run(lookups.verify())
    if as_json:
        named = None if breach is None else {"table": breach.table, "row": breach.row, "says": breach.says}
        print_json({"holds": breach is None, "breach": named})
    elif breach is None:
        rows = ", ".join(
            f"{count:,} {name.replace('_log', ' lines').replace('_', ' ')}" for name, count in counts.items()
        )
        typer.echo(f"Every balance and invariant of the journal holds: {rows}.")
    else:
        typer.echo(f"{breach.table} {breach.row}: {breach.says}")
    if breach is not None:
        say("The books can't be trusted: `evil2root halt`, then look at that row.")
        raise typer.Exit(FAILED)


def moment(text: str, *, option: str) -> datetime:
    """Read a time; a plain date is its midnight in UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        says = f"{option} {text} is no time; write 2004-06-01 or 2004-06-01T14:30:00Z."
        raise Failure(says, code=USAGE) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _app(found: dict[str, Any]) -> str:
    match found["app_running"]:
        case True:
            return f"runs on {found['data_dir']}"
        case False:
            return f"does not run on {found['data_dir']}: `evil2root serve` starts it"
        case _:
            return "unknown: the database is shared, ask /readyz"


def _switch(found: dict[str, Any]) -> str:
    if found["breaker"] == "ACTIVE":
        return "entries allowed"
    return f"entries stopped ({found['breaker']}) by {found['by'] or 'the rules'}: {found['reason']}"


def _time(text: str, *, utc: bool) -> str:
    return when(datetime.fromisoformat(text), utc=utc)


def _number(value: float | None, form: str) -> str:
    return "none" if value is None else format(value, form)


def _table_or(headers: tuple[str, ...], rows: list[Any], *, right: tuple[int, ...] = ()) -> None:
    if rows:
        table(headers, rows, right=right)
    else:
        typer.echo("None yet.")
