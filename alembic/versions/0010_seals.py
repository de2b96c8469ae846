"""Every row of the append-only books gets a seal when it is written, so that a change behind the bot's back is named."""

from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | None = None
depends_on: str | None = None

# What tells a row of each table from the others, and all that it says. Times are spelled as seconds: their text depends
# on the session's time zone.
ROWS = {
    "fills": (
        "venue || ':' || account", "execution_id",
        (
            "number, client_order_id, symbol, side, quantity, price, fee, slippage, rate, extract(epoch FROM at), "
            "extract(epoch FROM booked_at)"
        ),
    ),
    "ledger_entries": (
        "book", "transaction_id || ' line ' || line", "account, unit, amount, extract(epoch FROM at), ref",
    ),
    "order_events": (
        "''::TEXT", "client_order_id || ' seq ' || seq", "state, reason, epoch, extract(epoch FROM at)",
    ),
    "breaker_events": (
        "account", "number::TEXT", "state, reason, by, extract(epoch FROM at)",
    ),
    "parked_events": (
        "account", "number::TEXT", "kind, reason, payload, key, extract(epoch FROM at)",
    ),
}  # fmt: skip


def digests(table: str, source: str) -> str:
    """Return the query for the seals that the rows of `source` should have."""
    scope, row, said = ROWS[table]
    return f"""
        SELECT '{table}'::TEXT AS relation, {scope} AS scope, {row} AS row,
            encode(sha256(convert_to(jsonb_build_array('{table}', {scope}, {row}, {said})::TEXT, 'UTF8')), 'hex')
                AS digest
        FROM {source}
    """  # noqa: S608 - our own names


def upgrade() -> None:
    op.execute("""
        CREATE TABLE seals (
            relation TEXT NOT NULL,
            scope TEXT NOT NULL,
            row TEXT NOT NULL,
            digest TEXT NOT NULL,
            CONSTRAINT pk_seals PRIMARY KEY (relation, scope, row)
        )
    """)
    for table in ROWS:
        # One statement for all rows of a statement; an upsert hands over only the rows that it really added.
        op.execute(f"""
            CREATE FUNCTION evil2root.seal_{table}() RETURNS TRIGGER LANGUAGE plpgsql AS $$
            BEGIN
                INSERT INTO evil2root.seals {digests(table, "added")};
                RETURN NULL;
            END
            $$
        """)
        op.execute(
            f"CREATE TRIGGER seal AFTER INSERT ON {table} REFERENCING NEW TABLE AS added "
            f"FOR EACH STATEMENT EXECUTE FUNCTION evil2root.seal_{table}()"
        )
        op.execute(f"INSERT INTO seals {digests(table, f'evil2root.{table}')}")
    op.execute("CREATE VIEW seals_now AS " + " UNION ALL ".join(digests(table, f"evil2root.{table}") for table in ROWS))
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON seals "
        "FOR EACH STATEMENT EXECUTE FUNCTION evil2root.refuse_change()"
    )


def downgrade() -> None:
    op.execute("DROP VIEW seals_now")
    for table in ROWS:
        op.execute(f"DROP TRIGGER seal ON {table}")
        op.execute(f"DROP FUNCTION evil2root.seal_{table}()")
    op.execute("DROP TABLE seals")
