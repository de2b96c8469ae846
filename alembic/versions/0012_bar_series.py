"""A mark for each series of bars, another one after every change: what was read under it is the same as long as it stands."""

from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.execute(
        "CREATE TABLE evil2root.bar_series ("
        "symbol TEXT NOT NULL, interval TEXT NOT NULL, mark TEXT NOT NULL, "
        "CONSTRAINT pk_bar_series PRIMARY KEY (symbol, interval))"
    )
    # Walks the key from series to series: counting all bars would take minutes where there are many.
    op.execute(
        "INSERT INTO evil2root.bar_series (symbol, interval, mark) "
        "WITH RECURSIVE series AS ("
        "(SELECT symbol, interval FROM evil2root.bars ORDER BY symbol, interval LIMIT 1) UNION ALL "
        "SELECT following.* FROM series, LATERAL (SELECT symbol, interval FROM evil2root.bars b "
        "WHERE (b.symbol, b.interval) > (series.symbol, series.interval) ORDER BY symbol, interval LIMIT 1) AS following) "
        "SELECT symbol, interval, gen_random_uuid()::text FROM series"
    )


def downgrade() -> None:
    op.execute("DROP TABLE evil2root.bar_series")
