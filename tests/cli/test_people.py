"""The commands on users and API keys, without an app; `test_running_bot` sees what they open."""

import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from tests.cli.cli_process import Ended, call, call_each, is_one_line
from tests.cli.held_books import held, rows
from tests.postgres_fixtures import quick_folder

pytestmark = pytest.mark.slow

FIRST, SECOND = "correct horse battery staple", "another long password"


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """A migrated data directory with one admin; its server runs."""
    folder = quick_folder()
    try:
        with held(folder):
            made = piped(folder, FIRST, "user", "add", "root", "--role", "admin")
            assert (made.code, made.out) == (0, "root may sign in as admin.\n"), made
            yield folder
    finally:
        shutil.rmtree(folder)


def piped(data_dir: Path, line: str, *words: str) -> Ended:
    """Call with a line on standard input."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EVIL2ROOT_")}
    done = subprocess.run(
        [sys.executable, "-m", "evil2root", *words], env=environment | {"EVIL2ROOT_DATA_DIR": str(data_dir)},
        input=f"{line}\n", capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return Ended(code=done.returncode, out=done.stdout, err=done.stderr)


def stored_password(data_dir: Path, name: str) -> str:
    (row,) = rows(data_dir, "SELECT password_hash FROM users WHERE name = $1", name)
    return str(row[0])


def test_a_user_is_added_gets_another_password_and_is_kept_out(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{SECOND}\n")

    added = piped(data_dir, FIRST, "user", "add", "anna", "--role", "trader")
    assert PasswordHasher().verify(stored_password(data_dir, "anna"), FIRST)
    changed = call(data_dir, "user", "passwd", "anna", "--password-file", str(file))
    assert PasswordHasher().verify(stored_password(data_dir, "anna"), SECOND)
    disabled = call(data_dir, "user", "disable", "anna")
    listed = json.loads(call(data_dir, "user", "list", "--json").out)

    assert [end.code for end in (added, changed, disabled)] == [0, 0, 0]
    assert [(u["name"], u["role"], u["disabled"]) for u in listed] == [
        ("anna", "trader", True), ("root", "admin", False)
    ]  # fmt: skip
    assert set(listed[0]) == {"name", "role", "disabled", "created_at"}, "no hash is shown"
    audited = rows(data_dir, "SELECT actor, origin, action FROM v_audit WHERE object = 'user:anna' ORDER BY seq")
    me = f"cli:{pwd.getpwuid(os.geteuid()).pw_name}"
    assert [tuple(line) for line in audited] == [
        (me, "cli", action) for action in ("user.added", "user.password", "user.disabled")
    ]


def test_a_key_is_shown_once_keeps_to_its_scopes_and_is_revoked(data_dir: Path) -> None:
    made = json.loads(
        call(data_dir, "apikey", "create", "--name", "robot", "--role", "trader", "--scopes", "read,trade", "--expires",
             "2100-01-01", "--json").out
    )  # fmt: skip
    revoked = call(data_dir, "apikey", "revoke", made["id"])
    again, listed = call_each(data_dir, [("apikey", "revoke", made["id"]), ("apikey", "list", "--json")])

    (key,) = [one for one in json.loads(listed.out) if one["name"] == "robot"]
    assert (key["id"], key["role"], key["scopes"]) == (made["id"], "trader", ["read", "trade"])
    assert key["expires_at"] == "2100-01-01T00:00:00Z"
    assert made["key"].startswith("e2r_")
    assert made["key"] not in listed.out
    assert key["revoked_at"] is not None
    assert (revoked.code, again.code, is_one_line(again)) == (0, 1, True)
    (kept,) = rows(
        data_dir, "SELECT count(*) FROM api_keys k WHERE to_json(k)::text LIKE '%' || $1 || '%'", made["key"]
    )
    assert kept[0] == 0, "only its hash is stored"


def test_what_the_rules_do_not_allow_is_one_line_and_changes_nothing(data_dir: Path) -> None:
    before = rows(data_dir, "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM api_keys)")
    new_key = ("apikey", "create", "--name", "k", "--role")
    calls = {
        (*new_key, "boss"): (2, "--role boss is not known; use one of viewer, trader, admin."),
        (*new_key, "viewer", "--scopes", "fly"): (2, "--scopes fly is not known"),
        (*new_key, "viewer", "--scopes", "admin"): (1, "A viewer may not have the scope admin"),
        (*new_key, "viewer", "--expires", "2001-01-01"): (1, "which is over: give a later time"),
        ("user", "disable", "root"): (1, "root is the last admin"),
        ("user", "disable", "nobody"): (1, "There is no user 'nobody'"),
    }

    ends = call_each(data_dir, list(calls))
    short = piped(data_dir, "short", "user", "add", "bob", "--role", "viewer")
    twice = piped(data_dir, FIRST, "user", "add", "root", "--role", "viewer")

    for (words, (code, says)), end in zip(calls.items(), ends, strict=True):
        assert (end.code, is_one_line(end)) == (code, True), (words, end)
        assert says in end.err, words
    assert (short.code, short.err) == (1, "The password has 5 characters; use 12 to 1,000.\n")
    assert (twice.code, is_one_line(twice)) == (1, True)
    assert rows(data_dir, "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM api_keys)") == before
