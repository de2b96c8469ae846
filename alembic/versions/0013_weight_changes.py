"""Changes of the sources' default weights, one row each: the newest of an account is in force."""

from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE evil2root.weight_changes (
            number BIGINT GENERATED ALWAYS AS IDENTITY,
            account TEXT NOT NULL,
            at TIMESTAMPTZ NOT NULL,
            actor TEXT NOT NULL,
            weights JSON,
            CONSTRAINT pk_weight_changes PRIMARY KEY (number)
        )
    """)
    op.execute("CREATE INDEX ix_weight_changes_account_number ON evil2root.weight_changes (account, number)")


def downgrade() -> None:
    op.execute("DROP TABLE evil2root.weight_changes")
