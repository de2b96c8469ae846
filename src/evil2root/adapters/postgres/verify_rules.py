"""The invariants of the journal that one query each can check: a query finds what breaks them, if anything does."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One invariant."""

    table: str
    """Where a breach is to be looked for."""
    breach: str
    """Finds the first row that breaks it; its column `row` names that row."""
    says: str
    """What is wrong with it, with the row's columns in braces."""


SEALED = ("fills", "ledger_entries", "order_events", "breaker_events", "parked_events")
"""The books that only grow; every row of theirs was sealed when it was written."""


def _as_sealed(table: str) -> Rule:
    return Rule(
        table=table,
        breach=f"""
            SELECT coalesce(kept.row, found.row) AS row, CASE
                WHEN found.row IS NULL THEN 'It was written, and is gone.'
                WHEN kept.row IS NULL THEN 'It was not written by the bot: it has no seal.'
                ELSE 'It was changed after it was written: its seal does not fit.' END AS says
            FROM (SELECT * FROM seals WHERE relation = '{table}') AS kept
            FULL JOIN (SELECT * FROM seals_now WHERE relation = '{table}') AS found USING (scope, row)
            WHERE kept.digest IS DISTINCT FROM found.digest ORDER BY 1 LIMIT 1
        """,  # noqa: S608 - our own tables' names
        says="{says}",
    )


SEALS = tuple(_as_sealed(table) for table in SEALED)

LEDGER = (
    Rule(
        table="ledger_entries",
        breach="""
            SELECT transaction_id AS row, unit, trim_scale(sum(amount)) AS total FROM ledger_entries
            GROUP BY book, transaction_id, unit HAVING sum(amount) <> 0 ORDER BY min(at), 1 LIMIT 1
        """,
        says="The transaction sums to {total} {unit}, not to zero.",
    ),
    Rule(
        table="ledger_entries",
        breach="""
            SELECT e.transaction_id || ' line ' || e.line AS row, e.ref FROM ledger_entries e
            WHERE e.ref NOT LIKE 'fill:%' AND e.ref NOT LIKE 'deposit:%' AND e.ref NOT LIKE 'adjust:%'
                AND e.ref NOT LIKE 'borrow:%'
                OR e.ref LIKE 'borrow:%' AND (e.account NOT IN ('cash', 'borrow') OR (e.account = 'cash') <> (e.amount < 0))
                OR e.ref LIKE 'deposit:%' AND e.account NOT IN ('cash', 'capital')
                OR e.ref LIKE 'adjust:%' AND e.account = 'cash' AND NOT EXISTS (
                    SELECT FROM ledger_entries c WHERE (c.book, c.transaction_id) = (e.book, e.transaction_id)
                    AND c.account = 'capital' AND c.amount = -e.amount
                )
                OR e.ref LIKE 'fill:%' AND NOT EXISTS (
                    SELECT FROM fills f WHERE f.account = e.book
                    AND e.ref = 'fill:' || f.venue || ':' || f.account || ':' || f.execution_id
                )
            ORDER BY e.at, 1 LIMIT 1
        """,
        says="{ref} is no fill that was kept, no deposit, no borrow of a short and no adjustment: nothing else may move money or units.",
    ),
    Rule(
        table="ledger_entries",
        breach="""
            SELECT book AS row, min(unit) AS one, max(unit) AS other FROM ledger_entries WHERE account = 'cash'
            GROUP BY book HAVING min(unit) <> max(unit) ORDER BY book LIMIT 1
        """,
        says="The account's cash is in {one} and in {other}; it must be in one currency.",
    ),
)

ORDERS = (
    Rule(
        table="fills",
        breach="""
            SELECT f.execution_id AS row, f.client_order_id, f.side, f.symbol FROM fills f
            LEFT JOIN orders o ON o.client_order_id = f.client_order_id AND o.account = f.account
            WHERE o.client_order_id IS NULL OR (o.symbol, o.side) <> (f.symbol, f.side) ORDER BY f.number LIMIT 1
        """,
        says="There is no order {client_order_id} for a {side} of {symbol} that it could have executed.",
    ),
    Rule(
        table="orders",
        breach="""
            SELECT o.client_order_id AS row, o.decision_id FROM orders o
            LEFT JOIN decisions d ON d.account = o.account AND d.id = o.decision_id
            WHERE d.id IS NULL ORDER BY o.number LIMIT 1
        """,
        says="Its decision {decision_id} does not exist.",
    ),
    Rule(
        table="orders",
        breach="""
            SELECT client_order_id AS row, count(*) AS times FROM orders
            GROUP BY client_order_id HAVING count(*) > 1 ORDER BY min(number) LIMIT 1
        """,
        says="The id is there {times} times; it must be there once.",
    ),
    Rule(
        table="orders",
        breach="""
            SELECT o.client_order_id AS row, trim_scale(o.filled_quantity) AS filled_quantity,
                trim_scale(coalesce(f.quantity, 0)) AS quantity
            FROM orders o LEFT JOIN (
                SELECT account, client_order_id, sum(quantity) AS quantity FROM fills GROUP BY 1, 2
            ) f USING (account, client_order_id)
            WHERE o.filled_quantity <> coalesce(f.quantity, 0) ORDER BY o.number LIMIT 1
        """,
        says="It says {filled_quantity} filled, its fills sum to {quantity}.",
    ),
    Rule(
        table="orders",
        # The average is rounded to 28 digits at each fill.
        breach="""
            SELECT o.client_order_id AS row, o.average_price, f.value / f.quantity AS average FROM orders o LEFT JOIN (
                SELECT account, client_order_id, sum(quantity) AS quantity, sum(quantity * price) AS value
                FROM fills GROUP BY 1, 2
            ) f USING (account, client_order_id)
            WHERE (o.average_price IS NULL) <> (f.quantity IS NULL)
                OR abs(o.average_price * f.quantity - f.value) > 1e-20 * f.value
            ORDER BY o.number LIMIT 1
        """,
        says="It says an average price of {average_price}, its fills average {average}.",
    ),
)

EVENTS = (
    Rule(
        table="order_events",
        breach="""
            SELECT client_order_id AS row, count(*) AS lines, max(seq) AS last FROM order_events
            GROUP BY client_order_id HAVING count(*) <> max(seq) OR min(seq) <> 1 ORDER BY min(at), 1 LIMIT 1
        """,
        says="Its history has {lines} lines numbered up to {last}: one is missing or numbered wrongly.",
    ),
    Rule(
        table="order_events",
        breach="""
            SELECT client_order_id || ' seq ' || seq AS row, coalesce(before, 'nothing') AS before, state FROM (
                SELECT client_order_id, seq, at, state,
                    lag(state) OVER (PARTITION BY client_order_id ORDER BY seq) AS before
                FROM order_events
            ) AS move
            WHERE CASE WHEN before IS NULL THEN state NOT IN ('PENDING', 'SENDING')
                ELSE NOT evil2root.order_may_move(before, state) END
            ORDER BY at, 1 LIMIT 1
        """,
        says="An order may not go from {before} to {state}.",
    ),
    Rule(
        table="orders",
        breach="""
            SELECT o.client_order_id AS row, o.state, coalesce(e.state, 'nothing') AS told FROM orders o
            LEFT JOIN LATERAL (
                SELECT state FROM order_events e WHERE e.client_order_id = o.client_order_id ORDER BY seq DESC LIMIT 1
            ) AS e ON true
            WHERE o.state IS DISTINCT FROM e.state ORDER BY o.number LIMIT 1
        """,
        says="It is {state}, the last line of its history says {told}.",
    ),
)

STATE = (
    Rule(
        table="positions",
        breach="""
            SELECT symbol AS row, trim_scale(coalesce(p.quantity, 0)) AS held,
                trim_scale(coalesce(l.quantity, 0)) AS booked
            FROM positions p FULL JOIN (
                SELECT book AS account, substr(account, 10) AS symbol, sum(amount) AS quantity FROM ledger_entries
                WHERE account LIKE 'position:%' GROUP BY 1, 2 HAVING sum(amount) <> 0
            ) AS l USING (account, symbol)
            WHERE p.quantity IS DISTINCT FROM l.quantity ORDER BY symbol LIMIT 1
        """,
        says="positions says {held}, the ledger sums to {booked}.",
    ),
    Rule(
        table="positions",
        breach="""
            SELECT p.symbol AS row, p.decision_id FROM positions p
            LEFT JOIN decisions d ON d.account = p.account AND d.id = p.decision_id
            WHERE d.id IS NULL ORDER BY p.symbol LIMIT 1
        """,
        says="The decision {decision_id} that opened it does not exist.",
    ),
    Rule(
        table="account_state",
        breach="""
            SELECT s.account AS row, s.carry ->> 'capital' AS carried, trim_scale(coalesce(l.total, 0)) AS booked
            FROM account_state s LEFT JOIN (
                SELECT book, -sum(amount) AS total FROM ledger_entries WHERE account = 'capital' GROUP BY book
            ) AS l ON l.book = s.account
            WHERE (s.carry ->> 'capital')::NUMERIC <> coalesce(l.total, 0) ORDER BY s.account LIMIT 1
        """,
        says="It carries a capital of {carried}, the ledger sums to {booked}.",
    ),
    Rule(
        table="account_state",
        breach="""
            SELECT p.account AS row, p.symbol FROM positions p LEFT JOIN account_state s USING (account)
            WHERE coalesce((s.carry -> 'marks' ->> p.symbol)::NUMERIC, 0) <= 0 ORDER BY p.symbol LIMIT 1
        """,
        says="It carries no last price of {symbol}, which is held.",
    ),
    Rule(
        table="account_state",
        breach="""
            SELECT s.account AS row, s.carry ->> 'decisions' AS carried, d.made, d.last FROM account_state s
            CROSS JOIN LATERAL (
                SELECT count(*) AS made, coalesce(max(sequence), 0) AS last FROM decisions d
                WHERE d.account = s.account
            ) AS d
            WHERE (s.carry ->> 'decisions')::BIGINT <> d.made OR d.made <> d.last ORDER BY s.account LIMIT 1
        """,
        says="It carries {carried} decisions; {made} are kept, numbered up to {last}.",
    ),
)
