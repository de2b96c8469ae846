"""Commands on who may come in: users and API keys."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from evil2root.cli.books import moment
from evil2root.cli.console import USAGE, Failure, print_json, run, table, when

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
RoleName = Annotated[str, typer.Option("--role", help="viewer, trader or admin.")]
PasswordFile = Annotated[Path | None, typer.Option("--password-file", help="Read the password from this file.")]
Name = Annotated[str, typer.Argument()]


def add_to(app: typer.Typer) -> None:
    """Add this group's commands."""
    user = typer.Typer(no_args_is_help=True, help="Users.", rich_markup_mode=None)
    user.command("add", epilog="Example: evil2root user add anna --role trader")(user_add)
    user.command("passwd", epilog="Example: evil2root user passwd admin")(user_passwd)
    user.command("disable", epilog="Example: evil2root user disable anna")(user_disable)
    user.command("list", epilog="Example: evil2root user list --json")(user_list)
    app.add_typer(user, name="user")
    key = typer.Typer(no_args_is_help=True, help="API keys.", rich_markup_mode=None)
    key.command("create", epilog="Example: evil2root apikey create --name grafana --role viewer --json")(key_create)
    key.command("revoke", epilog="Example: evil2root apikey revoke k-0123456789ab")(key_revoke)
    key.command("list", epilog="Example: evil2root apikey list")(key_list)
    app.add_typer(key, name="apikey")


def user_add(name: Name, role: RoleName, password_file: PasswordFile = None) -> None:
    """Add a user."""
    from evil2root.engine.access import Role  # noqa: PLC0415
    from evil2root.main import people  # noqa: PLC0415

    wanted = Role(_one_of(role, [r.value for r in Role], option="--role"))
    run(people.add_user(name, role=wanted, password=_password(password_file)))
    typer.echo(f"{name} may sign in as {wanted}.")


def user_passwd(name: Name, password_file: PasswordFile = None) -> None:
    """Change a password; the user's sessions end."""
    from evil2root.main import people  # noqa: PLC0415

    run(people.set_password(name, _password(password_file)))
    typer.echo(f"The password of {name} is changed; their sessions are over.")


def user_disable(name: Name) -> None:
    """Keep a user out; their sessions end."""
    from evil2root.main import people  # noqa: PLC0415

    run(people.disable_user(name))
    typer.echo(f"{name} can't sign in any more.")


def user_list(as_json: AsJson = False) -> None:  # noqa: FBT002
    """List the users."""
    from evil2root.main import people  # noqa: PLC0415

    rows = run(people.users())
    if as_json:
        print_json(rows)
    elif rows:
        cells = [
            (r["name"], r["role"], "disabled" if r["disabled"] else "may sign in", when(r["created_at"], utc=False))
            for r in rows
        ]
        table(("Name", "Role", "State", "Created"), cells)
    else:
        typer.echo("No users yet: the first start of `evil2root serve` creates admin.")


def key_create(
    name: Annotated[str, typer.Option(help="What the key is for.")],
    role: RoleName,
    scopes: Annotated[str, typer.Option(help="Comma list of read, trade, admin; by default all the role has.")] = "",
    expires: Annotated[str | None, typer.Option(help="When it stops working: a date or RFC 3339.")] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Make an API key; it is shown once."""
    from evil2root.engine.access import Role, Scope  # noqa: PLC0415
    from evil2root.main import people  # noqa: PLC0415

    wanted = Role(_one_of(role, [r.value for r in Role], option="--role"))
    known = [s.value for s in Scope]
    parts = [Scope(_one_of(s.strip(), known, option="--scopes")) for s in scopes.split(",") if s.strip()]
    until = None if expires is None else moment(expires, option="--expires")
    made = run(people.add_key(name, role=wanted, scopes=parts, expires_at=until))
    if as_json:
        print_json(made)
    else:
        typer.echo(
            f"{made['key']}\nThis is the only time it is shown. Revoke it with `evil2root apikey revoke {made['id']}`."
        )


def key_revoke(key_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Revoke a key for good."""
    from evil2root.main import people  # noqa: PLC0415

    run(people.revoke_key(key_id))
    typer.echo(f"{key_id} opens nothing any more.")


def key_list(as_json: AsJson = False) -> None:  # noqa: FBT002
    """List the API keys."""
    from evil2root.main import people  # noqa: PLC0415

    rows = run(people.keys())
    if as_json:
        print_json(rows)
    elif rows:
        cells = [
            (r["id"], r["name"], r["role"], ",".join(r["scopes"]) or "all", when(r["created_at"], utc=False),
             "revoked" if r["revoked_at"] else "works", when(r["last_used_at"], utc=False))
            for r in rows
        ]  # fmt: skip
        table(("Id", "Name", "Role", "Scopes", "Created", "State", "Last used"), cells)
    else:
        typer.echo("No keys yet: evil2root apikey create --name N --role viewer")


def _one_of(text: str, known: list[str], *, option: str) -> str:
    if text not in known:
        says = f"{option} {text} is not known; use one of {', '.join(known)}."
        raise Failure(says, code=USAGE)
    return text


def _password(path: Path | None) -> str:
    """Take the password from a file, from whoever sits there (twice), or from a pipe."""
    from evil2root.main.failures import translated  # noqa: PLC0415
    from evil2root.main.people import password_from  # noqa: PLC0415

    if path is not None:
        with translated():
            return password_from(path)
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    line = sys.stdin.readline().rstrip("\n")
    if not line:
        text = "No password came: give --password-file FILE, or pipe one line in."
        raise Failure(text, code=USAGE)
    return line
