"""Read-only views for checks from outside."""

from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None

VIEWS = {
    "v_orders": """
        SELECT client_order_id, broker_order_id, decision_id, symbol, side, kind, quantity, filled_quantity,
            average_price, state, attempt, epoch, created_at, sent_at, updated_at, account
        FROM evil2root.orders
    """,
    "v_order_events": "SELECT client_order_id, seq, state, reason, epoch, at FROM evil2root.order_events",
    "v_fills": """
        SELECT venue, account, execution_id, client_order_id, symbol, side, quantity, price, fee, at, booked_at
        FROM evil2root.fills
    """,
    "v_postings": "SELECT transaction_id, account, unit, amount, at, ref, line, book FROM evil2root.ledger_entries",
    "v_positions": """
        SELECT symbol, quantity, average_price, stop, target, unprotected_since, account FROM evil2root.positions
    """,
    "v_leader": "SELECT epoch, holder, since FROM evil2root.leadership",
    # One row an account, also when nothing was ever halted. REDUCING ends by itself, HALTED by a person.
    "v_halt": """
        SELECT coalesce(last.state <> 'ACTIVE', false) AS active, 'entries'::TEXT AS scope, last.reason, last.by,
            last.at, coalesce(last.state, 'ACTIVE') AS state, begun.account
        FROM evil2root.account_state AS begun
        LEFT JOIN LATERAL (
            SELECT state, reason, by, at FROM evil2root.breaker_events AS event
            WHERE event.account = begun.account ORDER BY number DESC LIMIT 1
        ) AS last ON true
    """,
    "v_parked": "SELECT kind, reason, payload, at, account FROM evil2root.parked_events",
    "v_audit": "SELECT seq, at, actor, origin, action, object, before, after, hash FROM evil2root.audit_log",
}


def upgrade() -> None:
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query}")


def downgrade() -> None:
    for name in VIEWS:
        op.execute(f"DROP VIEW {name}")
