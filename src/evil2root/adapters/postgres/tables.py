"""The tables of the schema `evil2root`, as the migrations make them. Rows are not the model: codec.py knows both.

Views, triggers and functions are in the migrations only. Every table of one account has the column `account`, so that
a paper account and a real one can live side by side; in `ledger_entries` it is called `book`, because the ledger has
accounts of its own. `number` counts rows in the order they were written.
"""

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    cast,
    func,
    literal_column,
    true,
)
from sqlalchemy.types import TypeEngine, UserDefinedType

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


class Document(UserDefinedType[str]):
    """A JSON column, read and written as its text: the codec does the rest, and nothing is respelled on the way.

    `json` keeps the text to the letter, floats and order of keys included; `jsonb` spells -0.0 as 0 and sorts keys.
    """

    cache_ok = True

    def __init__(self, *, binary: bool = False) -> None:
        self.binary = binary

    def get_col_spec(self, **_: Any) -> str:
        """Name the type to the server."""
        return "JSONB" if self.binary else "JSON"

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[str]:
        """Have the server hand out text, before any driver takes it for a document."""
        return cast(column, Text())


def _column(name: str, kind: TypeEngine[Any], *, key: bool, **options: Any) -> Column[Any]:
    return Column(name, kind, primary_key=key, nullable=options.pop("nullable", False), **options)


def _text(name: str, *, key: bool = False, **options: Any) -> Column[Any]:
    return _column(name, Text(), key=key, **options)


def _amount(name: str, *, key: bool = False, **options: Any) -> Column[Any]:
    """Give a `numeric` without scale: nothing is ever rounded by being stored."""
    return _column(name, Numeric(), key=key, **options)


def _time(name: str, *, key: bool = False, **options: Any) -> Column[Any]:
    return _column(name, DateTime(timezone=True), key=key, **options)


def _whole(name: str, *, key: bool = False, **options: Any) -> Column[Any]:
    return _column(name, BigInteger(), key=key, **options)


def _real(name: str, **options: Any) -> Column[Any]:
    return _column(name, Double(), key=False, **options)


def _flag(name: str) -> Column[Any]:
    return _column(name, Boolean(), key=False)


def _number(*, key: bool = False) -> Column[Any]:
    return Column("number", BigInteger, Identity(always=True), primary_key=key, nullable=False)


def _document(name: str, *, binary: bool = False, **options: Any) -> Column[Any]:
    return _column(name, Document(binary=binary), key=False, **options)


_NUMBERS = ("open", "high", "low", "close", "volume", "factor")

bars = Table(
    "bars", metadata,
    _text("symbol", key=True), _text("interval", key=True), _time("opened_at", key=True), _time("closed_at"),
    _real("open"), _real("high"), _real("low"), _real("close"), _real("volume"),
    _real("factor", server_default="1"), _text("source"), _time("stored_at", server_default=func.now()),
)  # fmt: skip
"""Raw prices; served adjusted: price times factor, volume over factor."""

bar_series = Table("bar_series", metadata, _text("symbol", key=True), _text("interval", key=True), _text("mark"))
"""One line a series; the mark is another one after every change of its bars."""

bar_versions = Table(
    "bar_versions", metadata,
    _text("symbol", key=True), _text("interval", key=True), _time("opened_at", key=True), _time("closed_at"),
    _real("open"), _real("high"), _real("low"), _real("close"), _real("volume"), _real("factor"), _text("source"),
    _time("stored_at"), _time("replaced_at", key=True),
)  # fmt: skip
"""What bars said before they were restated; a trigger on `bars` writes them."""

bar_marks = Table(
    "bar_marks", metadata,
    _text("symbol", key=True), _text("interval", key=True), _time("opened_at", key=True), _flag("repaired"),
    _flag("agreed"),
)  # fmt: skip
"""Bars of which there is something to say; the others were told as they are stored, by one source."""

quarantined_rows = Table(
    "quarantined_rows", metadata,
    _text("key", key=True), _text("symbol"), _text("interval"), _text("source"), _time("fetched_at"),
    _time("opened_at", nullable=True), *(_real(name, nullable=True) for name in _NUMBERS), _text("kind"),
    _text("reason"), _text("detail"),
    Index(None, "symbol", "interval", "opened_at"),
)  # fmt: skip
"""Rows as they were told, and why they are not believed."""

data_issues = Table(
    "data_issues", metadata,
    _text("key", key=True), _text("symbol"), _text("interval"), _text("source"), _text("kind"), _time("start"),
    _time("end"), _whole("rows"), _text("action"), _text("detail"), _time("first_seen"), _time("last_seen"),
    Index(None, "symbol", "interval", "start"),
)  # fmt: skip

decisions = Table(
    "decisions", metadata,
    _text("account", key=True), _text("id", key=True), _whole("sequence"), _text("strategy"), _text("symbol"),
    _text("interval"), _time("at"), _text("outcome"), _text("wants"), _text("side", nullable=True),
    _real("score", nullable=True), _text("why"), _text("why_not", nullable=True),
    _document("features", binary=True), _document("record"),
    Index(None, "account", "sequence", unique=True),
    Index(None, "account", "symbol", "sequence"),
    Index(None, "account", "outcome", "sequence"),
    Index(None, "account", "at"),
)  # fmt: skip

orders = Table(
    "orders", metadata,
    _text("client_order_id", key=True), _number(), _text("account"), _text("decision_id"),
    _text("broker_order_id", nullable=True), _text("symbol"), _text("side"), _text("kind"), _amount("quantity"),
    _amount("filled_quantity"), _amount("average_price", nullable=True), _text("state"), _text("why_state"),
    Column("attempt", Integer, nullable=False), _whole("epoch"), _time("created_at"), _time("sent_at", nullable=True),
    _time("updated_at"), _document("record"),
    ForeignKeyConstraint(["account", "decision_id"], ["decisions.account", "decisions.id"]),
    CheckConstraint("quantity > 0", name="quantity"),
    CheckConstraint("filled_quantity >= 0 AND filled_quantity <= quantity", name="filled"),
    CheckConstraint("side IN ('buy', 'sell')", name="side"),
    Index(None, "account", "number"),
    Index(None, "account", "symbol", "number"),
    Index(None, "account", "decision_id"),
    Index(
        "ix_orders_open", "account", "number",
        postgresql_where=literal_column("state NOT IN ('FILLED', 'REJECTED', 'CANCELED', 'EXPIRED', 'NOT_PLACED')"),
    ),
)  # fmt: skip

order_events = Table(
    "order_events", metadata,
    Column("client_order_id", Text, ForeignKey("orders.client_order_id"), primary_key=True, nullable=False),
    Column("seq", Integer, primary_key=True, nullable=False), _text("state"), _text("reason"), _whole("epoch"),
    _time("at"),
)  # fmt: skip
"""Written by a trigger on `orders` whenever an order's state or filled quantity changes."""

fills = Table(
    "fills", metadata,
    _text("venue", key=True), _text("account", key=True), _text("execution_id", key=True), _number(),
    Column("client_order_id", Text, ForeignKey("orders.client_order_id"), nullable=False),
    _text("symbol"), _text("side"), _amount("quantity"), _amount("price"), _amount("fee"), _amount("slippage"),
    _time("at"), _time("booked_at", server_default=func.now()), _amount("rate", server_default="1"),
    CheckConstraint("quantity > 0 AND price > 0 AND fee >= 0", name="amounts"),
    CheckConstraint("rate > 0", name="rate"),
    Index(None, "client_order_id"),
    Index(None, "account", "number"),
    Index(None, "account", "symbol", "number"),
)  # fmt: skip

ledger_entries = Table(
    "ledger_entries", metadata,
    _text("book", key=True), _text("transaction_id", key=True), Column("line", Integer, primary_key=True),
    _text("account"), _text("unit"), _amount("amount"), _time("at"), _text("ref"),
    Index("ix_ledger_entries_balance", "book", "account", "unit", postgresql_include=["amount"]),
)  # fmt: skip

positions = Table(
    "positions", metadata,
    _text("account", key=True), _text("symbol", key=True), _amount("quantity"), _amount("average_price"),
    _time("opened_at"), _text("decision_id"), _amount("stop", nullable=True), _amount("target", nullable=True),
    _time("unprotected_since", nullable=True), _document("record"),
    CheckConstraint("quantity <> 0", name="quantity"),
)  # fmt: skip

seals = Table(
    "seals", metadata, _text("relation", key=True), _text("scope", key=True), _text("row", key=True), _text("digest")
)
"""The digest of every row of the append-only books, written by triggers together with the row."""

trades = Table(
    "trades", metadata,
    _text("account", key=True), _text("id", key=True), _number(), _text("symbol"), _text("side"), _amount("quantity"),
    _time("entry_time"), _amount("entry_price"), _time("exit_time"), _amount("exit_price"), _text("exit_reason"),
    _amount("fees"), _amount("pnl"), _amount("risk", nullable=True), _text("entry_decision_id"),
    _text("exit_decision_id", nullable=True), _amount("borrow", server_default="0"),
    Index(None, "account", "number"),
    Index(None, "account", "symbol", "number"),
    Index(None, "account", "entry_decision_id"),
)  # fmt: skip

equity_points = Table(
    "equity_points", metadata,
    _text("account", key=True), _time("at", key=True), _amount("cash"), _amount("equity"), _amount("gross"),
    _amount("peak"), _amount("benchmark", nullable=True),
)  # fmt: skip

account_state = Table(
    "account_state", metadata, _text("account", key=True), _whole("steps"), _document("carry")
)  # fmt: skip
"""`steps` counts commits: a writer that has not seen the last one is refused."""

breaker_events = Table(
    "breaker_events", metadata,
    _number(key=True), _text("account"), _text("state"), _text("reason"), _text("by"), _time("at", nullable=True),
    Index(None, "account", "number"),
)  # fmt: skip

parked_events = Table(
    "parked_events", metadata,
    _number(key=True), _text("account"), _text("kind"), _text("reason"), _text("payload"), _time("at"),
    _text("key", nullable=True),
    Index(None, "account", "number"),
    Index(None, "account", "kind", "key", unique=True),
)  # fmt: skip
"""`key` names an event that may be told again; those without one are all different."""

drills = Table(
    "drills", metadata,
    _number(key=True), _text("account"), _time("began_at"), Column("positions", Integer, nullable=False),
    Column("orders", Integer, nullable=False), _real("flat_after_s", nullable=True), _text("says"),
    Index(None, "account", "number"),
)  # fmt: skip

audit_log = Table(
    "audit_log", metadata,
    _whole("seq", key=True, autoincrement=False), _time("at"), _text("actor"), _text("origin"), _text("action"),
    _text("object"), _text("before", nullable=True), _text("after", nullable=True), _text("hash"),
)  # fmt: skip

policies = Table(
    "policies", metadata,
    _text("digest", key=True), _text("strategy"), _document("options", binary=True), _text("account"),
    _text("currency"), _text("interval"), Column("symbols", ARRAY(Text), nullable=False),
    _time("kept_at", server_default=func.now()),
    Column("rates", ARRAY(Text), nullable=False, server_default="{}"),
)  # fmt: skip

weight_changes = Table(
    "weight_changes", metadata,
    _number(key=True), _text("account"), _time("at"), _text("actor"), _document("weights", nullable=True),
    Index(None, "account", "number"),
)  # fmt: skip
"""The newest of an account is in force; without weights those of the settings are."""

leadership = Table(
    "leadership", metadata,
    Column("one", Boolean, primary_key=True, server_default=true()),
    _whole("epoch"), _text("holder"), _time("since"),
    CheckConstraint("one", name="one"),
)  # fmt: skip
"""At most one row."""

users = Table(
    "users", metadata,
    _text("name", key=True), _text("role"), _text("password_hash"),
    Column("disabled", Boolean, nullable=False, server_default=literal_column("false")),
    _time("created_at"), _text("locale", server_default="en"),
    CheckConstraint("role IN ('viewer', 'trader', 'admin')", name="role"),
)  # fmt: skip

sessions = Table(
    "sessions", metadata,
    _text("token_hash", key=True), Column("name", Text, ForeignKey("users.name", ondelete="CASCADE"), nullable=False),
    _time("created_at"), _time("seen_at"), _time("expires_at"), _text("origin"),
    Index(None, "name"),
)  # fmt: skip

api_keys = Table(
    "api_keys", metadata,
    _text("id", key=True), _text("name"), _text("role"), Column("scopes", ARRAY(Text), nullable=False),
    _text("key_hash", unique=True), _time("created_at"), _time("expires_at", nullable=True),
    _time("revoked_at", nullable=True), _time("last_used_at", nullable=True),
    CheckConstraint("role IN ('viewer', 'trader', 'admin')", name="role"),
)  # fmt: skip

idempotency = Table(
    "idempotency", metadata,
    _text("key", key=True), _text("actor", key=True), _text("path"), _text("body_hash"),
    Column("status", Integer, nullable=True), _text("answer", nullable=True), _time("at"),
    Index(None, "at"),
)  # fmt: skip
"""`status` and `answer` are null while the first request with this key is still being worked on."""

login_failures = Table(
    "login_failures", metadata,
    _number(key=True), _text("name"), _text("origin"), _time("at"),
    Index(None, "name", "at"),
    Index(None, "origin", "at"),
)  # fmt: skip

desk_requests = Table(
    "desk_requests", metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True), _text("kind"), _document("payload"),
    _text("by"), _text("origin"), _time("at"), _time("taken_at", nullable=True), Column("done", Boolean, nullable=True),
    _text("answer", nullable=True), _time("answered_at", nullable=True),
    Index("ix_desk_requests_open", "id", postgresql_where=literal_column("answered_at IS NULL")),
)  # fmt: skip

paper_accounts = Table(
    "paper_accounts", metadata,
    _text("account", key=True), _document("document"), _time("played_at", nullable=True),
    _text("played_phase", nullable=True),
)  # fmt: skip

paper_fills = Table(
    "paper_fills", metadata,
    _text("account", key=True), _text("execution_id", key=True), _number(), _text("venue"), _text("client_order_id"),
    _text("symbol"), _text("side"), _amount("quantity"), _amount("price"), _amount("fee"), _amount("slippage"),
    _time("at"), _amount("rate", server_default="1"),
    Index(None, "account", "number"),
)  # fmt: skip

feed_cursors = Table(
    "feed_cursors", metadata, _text("feed", key=True), _text("interval", key=True), _time("at")
)  # fmt: skip
"""The last close a feed has delivered."""

model_versions = Table(
    "model_versions", metadata,
    _text("name", key=True), Column("version", Integer, primary_key=True), _text("state"), _document("manifest"),
    _time("created_at"),
)  # fmt: skip
"""Reserved: no model is trained yet."""

jobs = Table(
    "jobs", metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True), _text("kind"), _text("state"),
    _document("payload"), _time("created_at"), _time("started_at", nullable=True), _time("ended_at", nullable=True),
)  # fmt: skip
"""Reserved: no job is queued yet."""
