"""What rehearsals of the halt showed."""

from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE drills (
            number BIGINT GENERATED ALWAYS AS IDENTITY,
            account TEXT NOT NULL,
            began_at TIMESTAMPTZ NOT NULL,
            positions INTEGER NOT NULL,
            orders INTEGER NOT NULL,
            flat_after_s DOUBLE PRECISION,
            says TEXT NOT NULL,
            CONSTRAINT pk_drills PRIMARY KEY (number)
        )
    """)
    op.execute("CREATE INDEX ix_drills_account_number ON drills (account, number)")


def downgrade() -> None:
    op.execute("DROP TABLE drills")
