"""The house around the books: people, the desk, the paper venue, feeds."""

from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

STATEMENTS = (
    """
    CREATE TABLE audit_log (
        seq BIGINT NOT NULL,
        at TIMESTAMPTZ NOT NULL,
        actor TEXT NOT NULL,
        origin TEXT NOT NULL,
        action TEXT NOT NULL,
        object TEXT NOT NULL,
        before TEXT,
        after TEXT,
        hash TEXT NOT NULL,
        CONSTRAINT pk_audit_log PRIMARY KEY (seq)
    )
    """,
    """
    CREATE TABLE leadership (
        one BOOLEAN DEFAULT true NOT NULL,
        epoch BIGINT NOT NULL,
        holder TEXT NOT NULL,
        since TIMESTAMPTZ NOT NULL,
        CONSTRAINT pk_leadership PRIMARY KEY (one),
        CONSTRAINT ck_leadership_one CHECK (one)
    )
    """,
    """
    CREATE TABLE users (
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        password_hash TEXT NOT NULL,
        disabled BOOLEAN DEFAULT false NOT NULL,
        created_at TIMESTAMPTZ NOT NULL,
        locale TEXT DEFAULT 'en' NOT NULL,
        CONSTRAINT pk_users PRIMARY KEY (name),
        CONSTRAINT ck_users_role CHECK (role IN ('viewer', 'trader', 'admin'))
    )
    """,
    """
    CREATE TABLE sessions (
        token_hash TEXT NOT NULL,
        name TEXT NOT NULL,
        created_at TIMESTAMPTZ NOT NULL,
        seen_at TIMESTAMPTZ NOT NULL,
        expires_at TIMESTAMPTZ NOT NULL,
        origin TEXT NOT NULL,
        CONSTRAINT pk_sessions PRIMARY KEY (token_hash),
        CONSTRAINT fk_sessions_name FOREIGN KEY(name) REFERENCES users (name) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_sessions_name ON sessions (name)",
    """
    CREATE TABLE api_keys (
        id TEXT NOT NULL,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        scopes TEXT[] NOT NULL,
        key_hash TEXT NOT NULL,
        created_at TIMESTAMPTZ NOT NULL,
        expires_at TIMESTAMPTZ,
        revoked_at TIMESTAMPTZ,
        last_used_at TIMESTAMPTZ,
        CONSTRAINT pk_api_keys PRIMARY KEY (id),
        CONSTRAINT ck_api_keys_role CHECK (role IN ('viewer', 'trader', 'admin')),
        CONSTRAINT uq_api_keys_key_hash UNIQUE (key_hash)
    )
    """,
    """
    CREATE TABLE idempotency (
        key TEXT NOT NULL,
        actor TEXT NOT NULL,
        path TEXT NOT NULL,
        body_hash TEXT NOT NULL,
        status INTEGER,
        answer TEXT,
        at TIMESTAMPTZ NOT NULL,
        CONSTRAINT pk_idempotency PRIMARY KEY (key, actor)
    )
    """,
    "CREATE INDEX ix_idempotency_at ON idempotency (at)",
    """
    CREATE TABLE login_failures (
        number BIGINT GENERATED ALWAYS AS IDENTITY,
        name TEXT NOT NULL,
        origin TEXT NOT NULL,
        at TIMESTAMPTZ NOT NULL,
        CONSTRAINT pk_login_failures PRIMARY KEY (number)
    )
    """,
    "CREATE INDEX ix_login_failures_name_at ON login_failures (name, at)",
    "CREATE INDEX ix_login_failures_origin_at ON login_failures (origin, at)",
    """
    CREATE TABLE desk_requests (
        id BIGINT GENERATED ALWAYS AS IDENTITY,
        kind TEXT NOT NULL,
        payload JSON NOT NULL,
        by TEXT NOT NULL,
        origin TEXT NOT NULL,
        at TIMESTAMPTZ NOT NULL,
        done BOOLEAN,
        answer TEXT,
        answered_at TIMESTAMPTZ,
        CONSTRAINT pk_desk_requests PRIMARY KEY (id)
    )
    """,
    "CREATE INDEX ix_desk_requests_open ON desk_requests (id) WHERE answered_at IS NULL",
    """
    CREATE TABLE paper_accounts (
        account TEXT NOT NULL,
        document JSON NOT NULL,
        played_at TIMESTAMPTZ,
        played_phase TEXT,
        CONSTRAINT pk_paper_accounts PRIMARY KEY (account)
    )
    """,
    """
    CREATE TABLE paper_fills (
        account TEXT NOT NULL,
        execution_id TEXT NOT NULL,
        number BIGINT GENERATED ALWAYS AS IDENTITY,
        venue TEXT NOT NULL,
        client_order_id TEXT NOT NULL,
        symbol TEXT NOT NULL,
        side TEXT NOT NULL,
        quantity NUMERIC NOT NULL,
        price NUMERIC NOT NULL,
        fee NUMERIC NOT NULL,
        slippage NUMERIC NOT NULL,
        at TIMESTAMPTZ NOT NULL,
        CONSTRAINT pk_paper_fills PRIMARY KEY (account, execution_id)
    )
    """,
    "CREATE INDEX ix_paper_fills_account_number ON paper_fills (account, number)",
    """
    CREATE TABLE feed_cursors (
        feed TEXT NOT NULL,
        interval TEXT NOT NULL,
        at TIMESTAMPTZ NOT NULL,
        CONSTRAINT pk_feed_cursors PRIMARY KEY (feed, interval)
    )
    """,
    """
    CREATE TABLE model_versions (
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        state TEXT NOT NULL,
        manifest JSON NOT NULL,
        created_at TIMESTAMPTZ NOT NULL,
        CONSTRAINT pk_model_versions PRIMARY KEY (name, version)
    )
    """,
    """
    CREATE TABLE jobs (
        id BIGINT GENERATED ALWAYS AS IDENTITY,
        kind TEXT NOT NULL,
        state TEXT NOT NULL,
        payload JSON NOT NULL,
        created_at TIMESTAMPTZ NOT NULL,
        started_at TIMESTAMPTZ,
        ended_at TIMESTAMPTZ,
        CONSTRAINT pk_jobs PRIMARY KEY (id)
    )
    """,
)

TABLES = (
    "jobs",
    "model_versions",
    "feed_cursors",
    "paper_fills",
    "paper_accounts",
    "desk_requests",
    "login_failures",
    "idempotency",
    "api_keys",
    "sessions",
    "users",
    "leadership",
    "audit_log",
)
"""In the order they can be dropped."""


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
