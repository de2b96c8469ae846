"""The policies decisions were made by, so that a decision can be recomputed after the settings have changed."""

from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE policies (
            digest TEXT NOT NULL,
            strategy TEXT NOT NULL,
            options JSONB NOT NULL,
            account TEXT NOT NULL,
            currency TEXT NOT NULL,
            interval TEXT NOT NULL,
            symbols TEXT[] NOT NULL,
            kept_at TIMESTAMPTZ DEFAULT now() NOT NULL,
            CONSTRAINT pk_policies PRIMARY KEY (digest)
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE policies")
