"""When a request to the desk was taken up: it is then carried out once at most, and withdrawn no more."""

from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.execute("ALTER TABLE desk_requests ADD COLUMN taken_at TIMESTAMPTZ")


def downgrade() -> None:
    op.execute("ALTER TABLE desk_requests DROP COLUMN taken_at")
