"""What is known of the quality of bars: rows set aside, oddities, who told a bar, and what a bar said before."""

from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | None = None
depends_on: str | None = None

NUMBERS = ("open", "high", "low", "close", "volume", "factor")


def upgrade() -> None:
    op.execute(
        "CREATE TABLE evil2root.quarantined_rows ("
        "key TEXT NOT NULL, symbol TEXT NOT NULL, interval TEXT NOT NULL, source TEXT NOT NULL, "
        "fetched_at TIMESTAMPTZ NOT NULL, opened_at TIMESTAMPTZ, "
        + "".join(f"{name} DOUBLE PRECISION, " for name in NUMBERS)
        + "kind TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, "
        "CONSTRAINT pk_quarantined_rows PRIMARY KEY (key))"
    )
    op.execute(
        "CREATE INDEX ix_quarantined_rows_symbol_interval_opened_at "
        "ON evil2root.quarantined_rows (symbol, interval, opened_at)"
    )
    op.execute(
        "CREATE TABLE evil2root.data_issues ("
        "key TEXT NOT NULL, symbol TEXT NOT NULL, interval TEXT NOT NULL, source TEXT NOT NULL, kind TEXT NOT NULL, "
        '"start" TIMESTAMPTZ NOT NULL, "end" TIMESTAMPTZ NOT NULL, rows BIGINT NOT NULL, action TEXT NOT NULL, '
        "detail TEXT NOT NULL, first_seen TIMESTAMPTZ NOT NULL, last_seen TIMESTAMPTZ NOT NULL, "
        "CONSTRAINT pk_data_issues PRIMARY KEY (key))"
    )
    op.execute('CREATE INDEX ix_data_issues_symbol_interval_start ON evil2root.data_issues (symbol, interval, "start")')
    op.execute(
        "CREATE TABLE evil2root.bar_marks ("
        "symbol TEXT NOT NULL, interval TEXT NOT NULL, opened_at TIMESTAMPTZ NOT NULL, repaired BOOLEAN NOT NULL, "
        "agreed BOOLEAN NOT NULL, CONSTRAINT pk_bar_marks PRIMARY KEY (symbol, interval, opened_at))"
    )
    op.execute(
        "CREATE TABLE evil2root.bar_versions ("
        "symbol TEXT NOT NULL, interval TEXT NOT NULL, opened_at TIMESTAMPTZ NOT NULL, closed_at TIMESTAMPTZ NOT NULL, "
        + "".join(f"{name} DOUBLE PRECISION NOT NULL, " for name in NUMBERS)
        + "source TEXT NOT NULL, stored_at TIMESTAMPTZ NOT NULL, replaced_at TIMESTAMPTZ NOT NULL, "
        "CONSTRAINT pk_bar_versions PRIMARY KEY (symbol, interval, opened_at, replaced_at))"
    )
    columns = f"symbol, interval, opened_at, closed_at, {', '.join(NUMBERS)}, source, stored_at"
    old = ", ".join(f"OLD.{name}" for name in columns.split(", "))
    # Whatever way a bar is changed, what it said before is kept. `clock_timestamp`: a transaction may change it twice.
    op.execute(
        "CREATE FUNCTION evil2root.keep_bar_version() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "  # noqa: S608 - our own names
        f"INSERT INTO evil2root.bar_versions ({columns}, replaced_at) VALUES ({old}, clock_timestamp()); "
        "RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER keep_bar_version AFTER UPDATE ON evil2root.bars FOR EACH ROW "
        "WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION evil2root.keep_bar_version()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER keep_bar_version ON evil2root.bars")
    op.execute("DROP FUNCTION evil2root.keep_bar_version()")
    for table in ("bar_versions", "bar_marks", "data_issues", "quarantined_rows"):
        op.execute(f"DROP TABLE evil2root.{table}")
