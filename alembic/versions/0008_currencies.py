"""Several currencies in one account: the rate of each fill, the pairs watched for rates; and what a short cost to borrow."""

from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on: str | None = None

COLUMNS = (
    ("fills", "rate", "NUMERIC NOT NULL DEFAULT 1 CONSTRAINT ck_fills_rate CHECK (rate > 0)"),
    ("paper_fills", "rate", "NUMERIC NOT NULL DEFAULT 1"),
    ("trades", "borrow", "NUMERIC NOT NULL DEFAULT 0"),
    ("policies", "rates", "TEXT[] NOT NULL DEFAULT '{}'"),
)

V_FILLS = """
    SELECT venue, account, execution_id, client_order_id, symbol, side, quantity, price, fee, at, booked_at{more}
    FROM evil2root.fills
"""


def upgrade() -> None:
    for table, column, kind in COLUMNS:
        op.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
    op.execute(f"CREATE OR REPLACE VIEW v_fills AS {V_FILLS.format(more=', rate')}")


def downgrade() -> None:
    op.execute("DROP VIEW v_fills")
    op.execute(f"CREATE VIEW v_fills AS {V_FILLS.format(more='')}")
    for table, column, _ in COLUMNS:
        op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
