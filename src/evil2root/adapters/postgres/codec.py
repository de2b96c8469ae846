"""Domain values to rows and back, exactly: floats to the last bit, decimals to the last digit, times in UTC.

A value is laid over a row by its `Shape`: fields that are asked for by name get columns of their own, all others go
into `record` as JSON text. No field is stored twice, so nothing can disagree with itself.
"""

import json
from collections.abc import Mapping
from math import copysign
from typing import Any, Generic, TypeVar

from pydantic import ConfigDict, TypeAdapter

from evil2root.domain.book.fills import Fill
from evil2root.domain.book.ledger import Entry
from evil2root.domain.book.orders import Order, OrderEvent
from evil2root.domain.book.portfolio import EquityPoint
from evil2root.domain.book.positions import Position, Trade
from evil2root.domain.execution.venue import VenueAccount
from evil2root.domain.kernel.record import Decision
from evil2root.domain.kernel.state import Carry
from evil2root.engine.drilled import DrillResult
from evil2root.engine.reads import AuditLine, ParkedLine

T = TypeVar("T")

_EXACT = ConfigDict(ser_json_inf_nan="strings")
"""NaN and the infinities are spelled out; the default would turn them into null without a word."""


def _alone(kind: Any) -> Any:
    """Put a type into a tuple: a dataclass takes its configuration only from what it is nested in."""
    return tuple[kind]


class Json(Generic[T]):
    """A value as one JSON text."""

    def __init__(self, kind: Any) -> None:
        self._adapter: TypeAdapter[tuple[T]] = TypeAdapter(_alone(kind), config=_EXACT)

    def text(self, value: T) -> str:
        """Write the value."""
        return self._adapter.dump_json((value,))[1:-1].decode()

    def value(self, text: str) -> T:
        """Read it back; a text that is no such value raises `ValueError`."""
        return self._adapter.validate_json(f"[{text}]")[0]


class Shape(Generic[T]):
    """How a frozen dataclass is laid over a row.

    Parameters
    ----------
    kind
        The dataclass.
    columns
        Fields that have columns of the same name, separated by spaces.
    renamed
        Fields that have columns of another name.
    whole
        True: every field has a column, there is no `record`.
    apart
        Fields that somebody else stores, and hands to `value`; separated by spaces.
    """

    def __init__(
        self,
        kind: type[T],
        columns: str,
        *,
        renamed: Mapping[str, str] | None = None,
        whole: bool = False,
        apart: str = "",
    ) -> None:
        self.columns = {name: name for name in columns.split()} | dict(renamed or {})
        self._whole = whole
        self._adapter: TypeAdapter[tuple[T]] = TypeAdapter(_alone(kind), config=_EXACT)
        self._exclude: Any = {0: {*self.columns, *apart.split()}}

    def row(self, value: T, **more: Any) -> dict[str, Any]:
        """Lay the value out; `more` are columns it knows nothing of."""
        row = {column: getattr(value, field) for field, column in self.columns.items()}
        if not self._whole:
            row["record"] = self._adapter.dump_json((value,), exclude=self._exclude)[1:-1].decode()
        return row | more

    def value(self, row: Mapping[Any, Any], **more: Any) -> T:
        """Put the value together again; columns that are not its own are ignored."""
        fields = {field: row[column] for field, column in self.columns.items()}
        if not self._whole:
            fields |= json.loads(row["record"])
        return self._adapter.validate_python((fields | more,))[0]


CARRY: Json[Carry] = Json(Carry)
VENUE_ACCOUNT: Json[VenueAccount] = Json(VenueAccount)

ORDER = Shape(
    Order,
    "client_order_id account decision_id broker_order_id symbol side kind quantity average_price state why_state "
    "attempt created_at sent_at updated_at",
    renamed={"filled": "filled_quantity"},
)
ORDER_EVENT = Shape(OrderEvent, "client_order_id state reason at", renamed={"sequence": "seq"}, whole=True)
FILL = Shape(
    Fill,
    "venue account execution_id client_order_id symbol side quantity price fee at slippage rate",
    whole=True,
)
ENTRY = Shape(Entry, "transaction_id line account unit amount at ref", whole=True)
POSITION = Shape(Position, "symbol quantity average_price opened_at decision_id stop target unprotected_since")
TRADE = Shape(
    Trade,
    "id symbol side quantity entry_time entry_price exit_time exit_price exit_reason fees pnl risk "
    "entry_decision_id exit_decision_id borrow",
    whole=True,
)
EQUITY_POINT = Shape(EquityPoint, "at cash equity gross peak benchmark", whole=True)
AUDIT_LINE = Shape(
    AuditLine, "at actor origin action object before after hash", renamed={"sequence": "seq"}, whole=True
)
PARKED_LINE = Shape(ParkedLine, "at kind reason payload", whole=True)
DRILL = Shape(DrillResult, "began_at positions orders flat_after_s says", whole=True)

_FEATURES: Json[dict[str, float | None]] = Json(dict[str, float | None])
_DECISION = Shape(
    Decision,
    "account id sequence strategy symbol interval at outcome wants side why why_not",
    apart="features",
)
_ZEROS = "negative_zeros"
"""In a record: names of features that are -0.0. `features` is `jsonb`, which knows only one zero."""


def decision_row(decision: Decision) -> dict[str, Any]:
    """Lay a decision out. Its features have a column of their own, for others to read."""
    row = _DECISION.row(
        decision,
        features=_FEATURES.text(dict(decision.features)),
        score=None if decision.view is None else decision.view.score,
    )
    zeros = [name for name, value in decision.features.items() if value == 0.0 and copysign(1.0, value) < 0]
    if zeros:
        row["record"] = json.dumps(json.loads(row["record"]) | {_ZEROS: zeros})
    return row


def decision_of(row: Mapping[Any, Any]) -> Decision:
    """Put a decision together again."""
    features = json.loads(row["features"])
    if f'"{_ZEROS}"' in row["record"]:
        for name in json.loads(row["record"])[_ZEROS]:
            if features.get(name) == 0:
                features[name] = -0.0
    return _DECISION.value(row, features=features)
