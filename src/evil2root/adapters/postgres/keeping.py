"""What the kernel wants kept, as rows and as few statements as there are tables."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import Insert, insert

from evil2root.adapters.postgres import tables
from evil2root.adapters.postgres.codec import ENTRY, EQUITY_POINT, FILL, ORDER, POSITION, TRADE, decision_row
from evil2root.domain.kernel import actions as keep

Row = dict[str, Any]


def _upsert(table: Table, *, fixed: str = "") -> Insert:
    """Insert, or replace everything but the key and the columns named in `fixed`."""
    made = insert(table)
    left = {"number", *fixed.split(), *table.primary_key.columns.keys()}
    return made.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: made.excluded[name] for name in table.columns.keys() if name not in left},  # noqa: SIM118
    )


_DECISION = _upsert(tables.decisions, fixed="sequence")
_ORDER = _upsert(tables.orders, fixed="account decision_id symbol side created_at")
_FILL = insert(tables.fills).on_conflict_do_nothing()
_ENTRY = insert(tables.ledger_entries).on_conflict_do_nothing()
_POSITION = _upsert(tables.positions)
_TRADE = insert(tables.trades).on_conflict_do_nothing()
_EQUITY = _upsert(tables.equity_points)
_BREAKER = insert(tables.breaker_events)
_PARKED = insert(tables.parked_events).on_conflict_do_nothing()


def batch(keeps: Sequence[keep.Keep], *, account: str, epoch: int) -> Iterator[tuple[Any, Any]]:
    """Turn what is to be kept into as few statements as there are tables; of each thing the last word counts.

    Orders are written word by word: each move is checked by the database and gets a line of history.
    """
    kept = Kept()
    for one in keeps:
        kept.add(one, account=account, epoch=epoch)
    yield from kept.statements(account)


class Kept:
    """Rows by table, in the making."""

    def __init__(self) -> None:
        self.decisions: dict[str, Row] = {}
        self.orders: list[Row] = []
        self.fills: list[Row] = []
        self.entries: list[Row] = []
        self.positions: dict[str, Row | None] = {}
        self.trades: list[Row] = []
        self.equity: dict[Any, Row] = {}
        self.breakers: list[Row] = []
        self.parked: list[Row] = []

    def add(self, one: keep.Keep, *, account: str, epoch: int) -> None:
        """Lay one thing out as a row."""
        match one:
            case keep.KeepDecision(decision=decision):
                self.decisions[decision.id] = decision_row(decision)
            case keep.KeepOrder(order=order):
                self.orders.append(ORDER.row(order, epoch=epoch))
            case keep.KeepFill(fill=fill):
                self.fills.append(FILL.row(fill))
            case keep.KeepEntries(entries=entries):
                self.entries += (ENTRY.row(entry, book=account) for entry in entries)
            case keep.KeepPosition(symbol=symbol, position=position):
                self.positions[symbol] = None if position is None else POSITION.row(position, account=account)
            case keep.KeepTrade(trade=trade):
                self.trades.append(TRADE.row(trade, account=account))
            case keep.KeepEquity(point=point):
                self.equity[point.at] = EQUITY_POINT.row(point, account=account)
            case keep.KeepBreaker(breaker=b):
                self.breakers.append({"account": account, "state": b.state, "reason": b.reason, "by": b.by, "at": b.at})
            case keep.Park():
                self.parked.append(
                    {
                        "account": account,
                        "kind": one.kind,
                        "reason": one.reason,
                        "payload": one.payload,
                        "at": one.at,
                        "key": one.key or None,
                    }
                )

    def statements(self, account: str) -> Iterator[tuple[Any, Sequence[Row]]]:
        """Give each statement that has rows, in an order that every reference allows."""
        yield from ((statement, rows) for statement, rows in self._all(account) if rows)

    def _all(self, account: str) -> Iterator[tuple[Any, Sequence[Row]]]:
        flat = [symbol for symbol, row in self.positions.items() if row is None]
        yield _DECISION, list(self.decisions.values())
        yield _ORDER, self.orders
        yield _FILL, self.fills
        yield _ENTRY, self.entries
        if flat:
            position = tables.positions
            yield position.delete().where(position.c.account == account, position.c.symbol.in_(flat)), [{}]
        yield _POSITION, [row for row in self.positions.values() if row is not None]
        yield _TRADE, self.trades
        yield _EQUITY, list(self.equity.values())
        yield _BREAKER, self.breakers
        yield _PARKED, self.parked
