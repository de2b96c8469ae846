"""An event that the venue tells again and again is set aside once."""

from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.execute("ALTER TABLE parked_events ADD COLUMN key TEXT")
    op.execute("CREATE UNIQUE INDEX ix_parked_events_account_kind_key ON evil2root.parked_events (account, kind, key)")


def downgrade() -> None:
    op.execute("DROP INDEX evil2root.ix_parked_events_account_kind_key")
    op.execute("ALTER TABLE parked_events DROP COLUMN key")
