"""Commands that run the bot or look at how it is set up: serve, demo, doctor, config, db."""

from pathlib import Path
from typing import Annotated

import typer

from evil2root.cli.console import FAILED, Failure, print_json, run, say, table

Host = Annotated[str | None, typer.Option(help="Address to listen on; by default EVIL2ROOT_HTTP__HOST.")]
Port = Annotated[
    int | None, typer.Option(min=0, max=65_535, help="Port to listen on; by default EVIL2ROOT_HTTP__PORT, 8000.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def add_to(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command(epilog="Example: EVIL2ROOT_MARKET_DATA=replay evil2root serve --port 8080")(serve)
    app.command(epilog="Example: evil2root demo --speed 5")(demo)
    app.command(epilog="Example: evil2root doctor")(doctor)
    config = typer.Typer(no_args_is_help=True, help="The settings in force.", rich_markup_mode=None)
    config.command("show", epilog="Example: evil2root config show --json")(config_show)
    config.command("check", epilog="Example: evil2root config check")(config_check)
    app.add_typer(config, name="config")
    database = typer.Typer(no_args_is_help=True, help="Migrations.", rich_markup_mode=None)
    database.command("upgrade", epilog="Example: evil2root db upgrade")(db_upgrade)
    database.command("current", epilog="Example: evil2root db current")(db_current)
    app.add_typer(database, name="db")


def serve(host: Host = None, port: Port = None) -> None:
    """Run the app: API, dashboard and trading."""
    _serve({}, host=host, port=port)


def demo(
    speed: Annotated[float, typer.Option(min=0, help="Bars a second and symbol; 0 is as fast as possible.")] = 1.0,
    port: Port = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where the demo keeps its database.")] = None,
) -> None:
    """Run the app on embedded defaults and replayed recorded history."""
    overrides = {"MARKET_DATA": "replay", "REPLAY__SPEED": str(speed), "BROKER": "paper", "MODE": "paper"}
    if data_dir is not None:
        overrides["DATA_DIR"] = str(data_dir)
    _serve(overrides, host=None, port=port)


def _serve(overrides: dict[str, str], *, host: str | None, port: int | None) -> None:
    from evil2root.main.starting import begun  # noqa: PLC0415 - heavy, so not before someone wants it

    with begun(overrides, host=host, port=port, say=say) as beginning:
        from evil2root.main.serving import serve as run_app  # noqa: PLC0415 - heavier still

        code = run(run_app(beginning, say=say))
    if code:
        text = "The app could not listen; see the line above."
        raise Failure(text, code=code)


def doctor(as_json: AsJson = False) -> None:  # noqa: FBT002 - a flag
    """Check what trading needs; exit 1 if it could not run."""
    from evil2root.main.doctor import examine  # noqa: PLC0415

    found = run(examine())
    if as_json:
        print_json([{"part": f.part, "state": f.state, "says": f.says, "try": f.remedy} for f in found])
    else:
        for finding in found:
            typer.echo(f"{finding.state:<3} {finding.part:<11} {finding.says}")
            if finding.remedy:
                typer.echo(f"    Try: {finding.remedy}")
    if any(finding.state == "x" for finding in found):
        raise typer.Exit(FAILED)


def config_show(as_json: AsJson = False) -> None:  # noqa: FBT002
    """Show every setting, secrets masked, and where its value came from."""
    from evil2root.main.commands import effective_settings  # noqa: PLC0415

    rows = effective_settings()
    if as_json:
        print_json([{"key": key, "value": value, "origin": origin} for key, value, origin in rows])
    else:
        table(("Setting", "Value", "From"), rows)


def config_check() -> None:
    """Check every setting; exit 2 and one line a problem."""
    from evil2root.main.commands import effective_settings  # noqa: PLC0415

    rows = effective_settings()
    given = sum(origin != "default" for _, _, origin in rows)
    typer.echo(f"All {len(rows)} settings are good; {given} differ from their defaults.")


def db_upgrade() -> None:
    """Migrate the database to this version's schema."""
    from evil2root.main.commands import database_revision  # noqa: PLC0415

    typer.echo(f"The database is at revision {run(database_revision(upgrade=True))}.")


def db_current() -> None:
    """Print the database's revision."""
    from evil2root.main.commands import database_revision  # noqa: PLC0415

    typer.echo(run(database_revision(upgrade=False)))
