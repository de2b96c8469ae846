"""The books: bars, decisions, orders and what came of them."""

from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

STATEMENTS = (
    """
    CREATE TABLE bars (
        symbol TEXT NOT NULL,
        interval TEXT NOT NULL,
        opened_at TIMESTAMPTZ NOT NULL,
        closed_at TIMESTAMPTZ NOT NULL,
        open DOUBLE PRECISION NOT NULL,
        high DOUBLE PRECISION NOT NULL,
        low DOUBLE PRECISION NOT NULL,
        close DOUBLE PRECISION NOT NULL,
        volume DOUBLE PRECISION NOT NULL,
        factor DOUBLE PRECISION DEFAULT '1' NOT NULL,
        source TEXT NOT NULL,
        stored_at TIMESTAMPTZ DEFAULT now() NOT NULL,
        CONSTRAINT pk_bars PRIMARY KEY (symbol, interval, opened_at)
    )
    """,
    """
    CREATE TABLE decisions (
        account TEXT NOT NULL,
        id TEXT NOT NULL,
        sequence BIGINT NOT NULL,
        strategy TEXT NOT NULL,
        symbol TEXT NOT NULL,
        interval TEXT NOT NULL,
        at TIMESTAMPTZ NOT NULL,
        outcome TEXT NOT NULL,
        wants TEXT NOT NULL,
        side TEXT,
        score DOUBLE PRECISION,
        why TEXT NOT NULL,
        why_not TEXT,
        features JSONB NOT NULL,
        record JSON NOT NULL,
        CONSTRAINT pk_decisions PRIMARY KEY (account, id)
    )
    """,
    "CREATE INDEX ix_decisions_account_at ON decisions (account, at)",
    "CREATE INDEX ix_decisions_account_outcome_sequence ON decisions (account, outcome, sequence)",
    "CREATE UNIQUE INDEX ix_decisions_account_sequence ON decisions (account, sequence)",
    "CREATE INDEX ix_decisions_account_symbol_sequence ON decisions (account, symbol, sequence)",
    """
    CREATE TABLE orders (
        client_order_id TEXT NOT NULL,
        number BIGINT GENERATED ALWAYS AS IDENTITY,
        account TEXT NOT NULL,
        decision_id TEXT NOT NULL,
        broker_order_id TEXT,
        symbol TEXT NOT NULL,
        side TEXT NOT NULL,
        kind TEXT NOT NULL,
        quantity NUMERIC NOT NULL,
        filled_quantity NUMERIC NOT NULL,
        average_price NUMERIC,
        state TEXT NOT NULL,
        why_state TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        epoch BIGINT NOT NULL,
        created_at TIMESTAMPTZ NOT NULL,
        sent_at TIMESTAMPTZ,
        updated_at TIMESTAMPTZ NOT NULL,
        record JSON NOT NULL,
        CONSTRAINT pk_orders PRIMARY KEY (client_order_id),
        CONSTRAINT fk_orders_account_decision_id FOREIGN KEY(account, decision_id) REFERENCES decisions (account, id),
        CONSTRAINT ck_orders_quantity CHECK (quantity > 0),
        CONSTRAINT ck_orders_filled CHECK (filled_quantity >= 0 AND filled_quantity <= quantity),
        CONSTRAINT ck_orders_side CHECK (side IN ('buy', 'sell'))
    )
    """,
    "CREATE INDEX ix_orders_account_decision_id ON orders (account, decision_id)",
    "CREATE INDEX ix_orders_account_number ON orders (account, number)",
    "CREATE INDEX ix_orders_account_symbol_number ON orders (account, symbol, number)",
    "CREATE INDEX ix_orders_open ON orders (account, number) WHERE state NOT IN ('FILLED', 'REJECTED', 'CANCELED', 'EXPIRED', 'NOT_PLACED')",
    """
    CREATE TABLE order_events (
        client_order_id TEXT NOT NULL,
        seq INTEGER NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        epoch BIGINT NOT NULL,
        at TIMESTAMPTZ NOT NULL,
        CONSTRAINT pk_order_events PRIMARY KEY (client_order_id, seq),
        CONSTRAINT fk_order_events_client_order_id FOREIGN KEY(client_order_id) REFERENCES orders (client_order_id)
    )
    """,
    """
    CREATE TABLE fills (
        venue TEXT NOT NULL,
        account TEXT NOT NULL,
        execution_id TEXT NOT NULL,
        number BIGINT GENERATED ALWAYS AS IDENTITY,
        client_order_id TEXT NOT NULL,
        symbol TEXT NOT NULL,
        side TEXT NOT NULL,
        quantity NUMERIC NOT NULL,
        price NUMERIC NOT NULL,
        fee NUMERIC NOT NULL,
        slippage NUMERIC NOT NULL,
        at TIMESTAMPTZ NOT NULL,
        booked_at TIMESTAMPTZ DEFAULT now() NOT NULL,
        CONSTRAINT pk_fills PRIMARY KEY (venue, account, execution_id),
        CONSTRAINT ck_fills_amounts CHECK (quantity > 0 AND price > 0 AND fee >= 0),
        CONSTRAINT fk_fills_client_order_id FOREIGN KEY(client_order_id) REFERENCES orders (client_order_id)
    )
    """,
    "CREATE INDEX ix_fills_account_number ON fills (account, number)",
    "CREATE INDEX ix_fills_account_symbol_number ON fills (account, symbol, number)",
    "CREATE INDEX ix_fills_client_order_id ON fills (client_order_id)",
    """
    CREATE TABLE ledger_entries (
        book TEXT NOT NULL,
        transaction_id TEXT NOT NULL,
        line INTEGER NOT NULL,
        account TEXT NOT NULL,
        unit TEXT NOT NULL,
        amount NUMERIC NOT NULL,
        at TIMESTAMPTZ NOT NULL,
        ref TEXT NOT NULL,
        CONSTRAINT pk_ledger_entries PRIMARY KEY (book, transaction_id, line)
    )
    """,
    "CREATE INDEX ix_ledger_entries_balance ON ledger_entries (book, account, unit) INCLUDE (amount)",
    """
    CREATE TABLE positions (
        account TEXT NOT NULL,
        symbol TEXT NOT NULL,
        quantity NUMERIC NOT NULL,
        average_price NUMERIC NOT NULL,
        opened_at TIMESTAMPTZ NOT NULL,
        decision_id TEXT NOT NULL,
        stop NUMERIC,
        target NUMERIC,
        unprotected_since TIMESTAMPTZ,
        record JSON NOT NULL,
        CONSTRAINT pk_positions PRIMARY KEY (account, symbol),
        CONSTRAINT ck_positions_quantity CHECK (quantity <> 0)
    )
    """,
    """
    CREATE TABLE trades (
        account TEXT NOT NULL,
        id TEXT NOT NULL,
        number BIGINT GENERATED ALWAYS AS IDENTITY,
        symbol TEXT NOT NULL,
        side TEXT NOT NULL,
        quantity NUMERIC NOT NULL,
        entry_time TIMESTAMPTZ NOT NULL,
        entry_price NUMERIC NOT NULL,
        exit_time TIMESTAMPTZ NOT NULL,
        exit_price NUMERIC NOT NULL,
        exit_reason TEXT NOT NULL,
        fees NUMERIC NOT NULL,
        pnl NUMERIC NOT NULL,
        risk NUMERIC,
        entry_decision_id TEXT NOT NULL,
        exit_decision_id TEXT,
        CONSTRAINT pk_trades PRIMARY KEY (account, id)
    )
    """,
    "CREATE INDEX ix_trades_account_entry_decision_id ON trades (account, entry_decision_id)",
    "CREATE INDEX ix_trades_account_number ON trades (account, number)",
    "CREATE INDEX ix_trades_account_symbol_number ON trades (account, symbol, number)",
    """
    CREATE TABLE equity_points (
        account TEXT NOT NULL,
        at TIMESTAMPTZ NOT NULL,
        cash NUMERIC NOT NULL,
        equity NUMERIC NOT NULL,
        gross NUMERIC NOT NULL,
        peak NUMERIC NOT NULL,
        benchmark NUMERIC,
        CONSTRAINT pk_equity_points PRIMARY KEY (account, at)
    )
    """,
    """
    CREATE TABLE account_state (
        account TEXT NOT NULL,
        steps BIGINT NOT NULL,
        carry JSON NOT NULL,
        CONSTRAINT pk_account_state PRIMARY KEY (account)
    )
    """,
    """
    CREATE TABLE breaker_events (
        number BIGINT GENERATED ALWAYS AS IDENTITY,
        account TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        by TEXT NOT NULL,
        at TIMESTAMPTZ,
        CONSTRAINT pk_breaker_events PRIMARY KEY (number)
    )
    """,
    "CREATE INDEX ix_breaker_events_account_number ON breaker_events (account, number)",
    """
    CREATE TABLE parked_events (
        number BIGINT GENERATED ALWAYS AS IDENTITY,
        account TEXT NOT NULL,
        kind TEXT NOT NULL,
        reason TEXT NOT NULL,
        payload TEXT NOT NULL,
        at TIMESTAMPTZ NOT NULL,
        CONSTRAINT pk_parked_events PRIMARY KEY (number)
    )
    """,
    "CREATE INDEX ix_parked_events_account_number ON parked_events (account, number)",
)

TABLES = (
    "parked_events",
    "breaker_events",
    "account_state",
    "equity_points",
    "trades",
    "positions",
    "ledger_entries",
    "fills",
    "order_events",
    "orders",
    "decisions",
    "bars",
)
"""In the order they can be dropped."""


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
