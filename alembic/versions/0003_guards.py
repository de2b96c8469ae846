"""What the database itself refuses: illegal moves of orders, rewritten history, a ledger that does not sum to zero."""

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None

# Bodies name the schema, so that they also work for a session with another search path.
FUNCTIONS = (
    """
    CREATE FUNCTION evil2root.order_may_move(before TEXT, after TEXT) RETURNS BOOLEAN
    LANGUAGE SQL IMMUTABLE PARALLEL SAFE AS $$
        SELECT after = ANY (CASE before
            WHEN 'PENDING' THEN ARRAY['SENDING', 'CANCELED']
            WHEN 'SENDING' THEN
                ARRAY['ACCEPTED', 'PARTIAL', 'FILLED', 'REJECTED', 'UNKNOWN', 'CANCELED', 'EXPIRED']
            WHEN 'ACCEPTED' THEN
                ARRAY['PARTIAL', 'FILLED', 'REJECTED', 'CANCEL_SENT', 'CANCELED', 'EXPIRED', 'UNKNOWN']
            WHEN 'PARTIAL' THEN ARRAY['PARTIAL', 'FILLED', 'CANCEL_SENT', 'CANCELED', 'EXPIRED', 'UNKNOWN']
            WHEN 'UNKNOWN' THEN
                ARRAY['ACCEPTED', 'PARTIAL', 'FILLED', 'REJECTED', 'CANCELED', 'EXPIRED', 'NOT_PLACED']
            WHEN 'CANCEL_SENT' THEN
                ARRAY['CANCELED', 'PARTIAL', 'FILLED', 'REJECTED', 'EXPIRED', 'UNKNOWN', 'ACCEPTED']
            WHEN 'CANCELED' THEN ARRAY['PARTIAL', 'FILLED']
            WHEN 'EXPIRED' THEN ARRAY['PARTIAL', 'FILLED']
            WHEN 'NOT_PLACED' THEN ARRAY['PARTIAL', 'FILLED']
            ELSE ARRAY[]::TEXT[]
        END)
    $$
    """,
    """
    CREATE FUNCTION evil2root.order_moved() RETURNS TRIGGER LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            IF NEW.state NOT IN ('PENDING', 'SENDING') THEN
                RAISE EXCEPTION 'Order % begins as %; an order begins as PENDING or SENDING.',
                    NEW.client_order_id, NEW.state USING ERRCODE = 'check_violation';
            END IF;
        ELSIF NEW.filled_quantity < OLD.filled_quantity THEN
            RAISE EXCEPTION 'Order % has % filled; it cannot go back to %.',
                NEW.client_order_id, OLD.filled_quantity, NEW.filled_quantity USING ERRCODE = 'check_violation';
        ELSIF NOT evil2root.order_may_move(OLD.state, NEW.state) THEN
            RAISE EXCEPTION 'Order % can''t go from % to %.', NEW.client_order_id, OLD.state, NEW.state
                USING ERRCODE = 'check_violation';
        END IF;
        INSERT INTO evil2root.order_events (client_order_id, seq, state, reason, epoch, at)
        SELECT NEW.client_order_id, coalesce(max(seq), 0) + 1, NEW.state, NEW.why_state, NEW.epoch, NEW.updated_at
        FROM evil2root.order_events WHERE client_order_id = NEW.client_order_id;
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE FUNCTION evil2root.refuse_change() RETURNS TRIGGER LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% is append-only; % is refused.', TG_TABLE_NAME, TG_OP USING ERRCODE = 'check_violation';
    END
    $$
    """,
    """
    CREATE FUNCTION evil2root.transaction_sums_to_zero() RETURNS TRIGGER LANGUAGE plpgsql AS $$
    DECLARE
        total NUMERIC := (
            SELECT sum(amount) FROM evil2root.ledger_entries
            WHERE book = NEW.book AND transaction_id = NEW.transaction_id AND unit = NEW.unit
        );
    BEGIN
        IF total <> 0 THEN
            RAISE EXCEPTION 'The transaction % (%) sums to % %, not to zero.',
                NEW.transaction_id, NEW.ref, total, NEW.unit USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE FUNCTION evil2root.tell_desk() RETURNS TRIGGER LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify('evil2root_desk', NEW.id::TEXT);
        RETURN NULL;
    END
    $$
    """,
)

APPEND_ONLY = ("order_events", "fills", "ledger_entries", "audit_log")

TRIGGERS = (
    # After, not before: an upsert fires before-insert triggers also for rows that it then updates.
    "CREATE TRIGGER order_began AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION evil2root.order_moved()",
    """
    CREATE TRIGGER order_moved AFTER UPDATE ON orders FOR EACH ROW
    WHEN (OLD.state <> NEW.state OR OLD.filled_quantity <> NEW.filled_quantity)
    EXECUTE FUNCTION evil2root.order_moved()
    """,
    """
    CREATE CONSTRAINT TRIGGER transaction_sums_to_zero AFTER INSERT ON ledger_entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION evil2root.transaction_sums_to_zero()
    """,
    "CREATE TRIGGER tell_desk AFTER INSERT OR UPDATE ON desk_requests FOR EACH ROW EXECUTE FUNCTION evil2root.tell_desk()",
)


def upgrade() -> None:
    for function in FUNCTIONS:
        op.execute(function)
    for trigger in TRIGGERS:
        op.execute(trigger)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION evil2root.refuse_change()"
        )


def downgrade() -> None:
    for table in APPEND_ONLY:
        op.execute(f"DROP TRIGGER append_only ON {table}")
    op.execute("DROP TRIGGER tell_desk ON desk_requests")
    op.execute("DROP TRIGGER transaction_sums_to_zero ON ledger_entries")
    op.execute("DROP TRIGGER order_moved ON orders")
    op.execute("DROP TRIGGER order_began ON orders")
    for function in ("tell_desk", "transaction_sums_to_zero", "refuse_change", "order_moved"):
        op.execute(f"DROP FUNCTION evil2root.{function}()")
    op.execute("DROP FUNCTION evil2root.order_may_move(TEXT, TEXT)")
