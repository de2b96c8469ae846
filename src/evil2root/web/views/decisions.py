"""The list of decisions: what did it decide, and why not?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from evil2root.domain.book.orders import OrderState
from evil2root.domain.kernel.record import Outcome
from evil2root.engine.desk import Desk
from evil2root.engine.reads import DecisionFilter, DecisionRow
from evil2root.web import format as f
from evil2root.web.svg import Diverging, diverging
from evil2root.web.views import common
from evil2root.web.views.common import Badge, Delta, Place, SideWord, place_of

ROWS = 50
STAGES = 5

O = Outcome  # noqa: E741 - a table reads better with a short name
GROUPS: Mapping[str, tuple[str, tuple[Outcome, ...]]] = {
    "": ("All", ()),
    "ordered": ("Ordered", (O.ORDERED, O.EXIT_ORDERED)),
    "waiting": ("Awaiting", (O.AWAITING_VERDICT, O.AWAITING_OPEN)),
    "rejected": ("Rejected", (O.REJECTED, O.LATE)),
    "vetoed": ("Vetoed by risk", (O.REFUSED,)),
    "halted": ("Halted", (O.HALTED,)),
    "below": ("Below threshold", (O.BELOW_THRESHOLD,)),
    "holding": ("Holding", (O.HOLDING, O.WAITING)),
    "silent": ("No opinion", (O.NO_OPINION, O.WARMING_UP)),
}
"""By the word in the address: the chip's label and the outcomes it shows."""

REACHED: Mapping[Outcome, int] = {
    O.WARMING_UP: 0, O.NO_OPINION: 1, O.BELOW_THRESHOLD: 1, O.HOLDING: 1, O.WAITING: 1, O.HALTED: 2,
    O.AWAITING_VERDICT: 2, O.LATE: 2, O.REJECTED: 2, O.AWAITING_OPEN: 3, O.REFUSED: 3, O.ORDERED: 4, O.EXIT_ORDERED: 4,
}  # fmt: skip
"""How many of the five stages are behind: signals, fusion, validation, risk, order filled."""
del O


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A filter with its count."""

    label: str
    count: str
    href: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRow:
    """One decision."""

    id: str
    at: f.Moment
    symbol: str
    side: SideWord | None
    wants: str
    score: str
    bar: Diverging | None
    stages: tuple[str, ...]
    """Five words, `done` or `open`."""
    stages_label: str
    badge: Badge
    why: str
    result: Delta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What the address asks for."""

    status: str = ""
    symbol: str = ""
    cursor: str = ""

    def href(self, **changes: str) -> str:
        """The address of the same list, changed."""
        parts = {"status": self.status, "symbol": self.symbol} | changes
        text = urlencode({k: v for k, v in parts.items() if v})
        return f"/decisions?{text}" if text else "/decisions"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """A part of the list."""

    rows: tuple[ListRow, ...]
    chips: tuple[Chip, ...]
    symbols: tuple[Chip, ...]
    total: str
    more: str
    """Address of what follows; empty at the end."""
    empty: str
    query: Query = field(default_factory=Query)


async def list_page(desk: Desk, query: Query) -> ListPage:
    """The newest decisions that fit. Raises `ValueError` for a bad cursor."""
    status = desk.status()
    place = place_of(desk.policy, status.now)
    _, outcomes = GROUPS.get(query.status, GROUPS[""])
    symbol = query.symbol or None
    counts = await desk.reads.decision_counts(DecisionFilter(symbol=symbol))
    found = await desk.reads.decisions(
        DecisionFilter(symbol=symbol, outcomes=outcomes), limit=ROWS, cursor=query.cursor or None
    )
    shown = sum(counts.get(o, 0) for o in outcomes) if outcomes else sum(counts.values())
    return ListPage(
        rows=tuple(list_row(row, place) for row in found.items),
        chips=_chips(query, counts),
        symbols=tuple(
            Chip(label=s or "All symbols", count="", href=query.href(symbol=s), chosen=s == query.symbol)
            for s in ("", *desk.policy.instruments)
        ),
        total=f.count(shown, "decision"),
        more=query.href(cursor=found.next) if found.next else "",
        empty=_empty(query, total=sum(counts.values())),
        query=query,
    )


def _chips(query: Query, counts: Mapping[Outcome, int]) -> tuple[Chip, ...]:
    chips = []
    for word, (label, outcomes) in GROUPS.items():
        n = sum(counts.get(o, 0) for o in outcomes) if outcomes else sum(counts.values())
        if n or word in ("", query.status):
            chips.append(Chip(label=label, count=f"{n:,}", href=query.href(status=word), chosen=word == query.status))
    return tuple(chips)


def _empty(query: Query, *, total: int) -> str:
    if total or query.symbol or query.status:
        return "No decision fits these filters."
    return "The first one follows when the next bar closes."


def list_row(row: DecisionRow, place: Place) -> ListRow:
    """One decision as a row."""
    filled = row.order_state == OrderState.FILLED
    reached = STAGES if filled else REACHED[row.outcome]
    score = row.score
    return ListRow(
        id=row.id, at=place.stamp(row.at), symbol=row.symbol, side=common.side_word(row.side),
        wants={"enter": "Enter", "exit": "Exit", "stay": "Stay"}.get(row.wants, row.wants),
        score="" if score is None else f.num(score, 2, plus=True),
        bar=None if score is None else diverging(score, label=f"Fused {f.num(score, 2, plus=True)}"),
        stages=tuple("done" if n < reached else "open" for n in range(STAGES)),
        stages_label=f"{reached} of {STAGES} stages passed",
        badge=common.outcome_badge(row.outcome, row.order_state),
        why=common.sentence(row.why_not or row.why),
        result=common.multiple(row.r) if row.r is not None else (place.gain(row.pnl) if row.pnl is not None else None),
    )  # fmt: skip
