"""Decisions: what one bar led to, and everything it rests on."""

from typing import Any, Self

from pydantic import Field, TypeAdapter

from evil2root.api.schemas.market import BarOut, PassportOut
from evil2root.api.values import Exact, Moment, Out
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.counterfactual import counterfactuals
from evil2root.domain.decision.verdict import Ruling
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.engine.desk import Recomputed

_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)


class DecisionRowOut(Out):
    """A decision as a line of a list."""

    id: str
    sequence: int
    at: Moment
    symbol: str
    interval: Interval
    strategy: str
    wants: str
    side: Side | None
    outcome: Outcome
    score: float | None
    why: str
    why_not: str | None
    order_state: str | None
    pnl: Exact | None
    r: Exact | None


class SourceOut(Out):
    """What one source said, and its part in the view."""

    name: str = Field(validation_alias="source")
    version: str
    horizon: int
    p_up: float | None
    weight: float
    contribution: float
    reason: str


class ViewOut(Out):
    """The fused signal."""

    p_up: float
    log_odds: float
    score: float
    side: Side
    agreeing: int
    speaking: int


class FactorOut(Out):
    """One check of the proposal."""

    name: str
    score: float
    weight: float
    value: float | None
    limit: float | None
    veto: bool
    reason: str


class VerdictOut(Out):
    """What validation said."""

    ruling: Ruling
    confidence: float
    size_factor: float
    by: str
    reason: str


class LineOut(Out):
    """One line of the sizing arithmetic."""

    label: str
    detail: str
    quantity: Exact | None
    amount: Exact | None
    binds: bool


class CheckOut(Out):
    """One limit, with its number."""

    name: str
    value: Exact
    limit: Exact
    holds: bool
    advice: str


class ProposalOut(Out):
    """Intent to open a position, before sizing."""

    side: Side
    entry: Exact
    stop: Exact | None
    target: Exact | None
    made_at: Moment
    good_until: Moment


class ExposureOut(Out):
    """The account as the gate saw it."""

    equity: Exact
    cash: Exact
    cash_in_flight: Exact
    gross: Exact
    symbol: Exact
    positions: int
    day_loss_frac: Exact
    day_volume: Exact | None
    fee_frac: Exact
    slippage_frac: Exact


class HoldingOut(Out):
    """The position when the decision was made."""

    quantity: Exact
    average_price: Exact
    opened_at: Moment


class CounterfactualOut(Out):
    """What one source alone would have had to say for something else to be done."""

    source: str
    p_up: float
    p_up_needed: float
    is_possible: bool
    """False where nothing a source can say would have been enough."""

    @classmethod
    def all_of(cls, decision: Decision, threshold: float | None) -> list[Self]:
        """Make them for a decision, none where the threshold it was held against is not known any more."""
        if threshold is None:
            return []
        found = counterfactuals(decision.sources, decision.view, threshold=threshold)
        return [cls.model_validate(one) for one in found]


class DecisionOut(Out):
    """One bar that reached the strategy, and what came of it."""

    id: str
    sequence: int
    account: str
    strategy: str
    symbol: str
    interval: Interval
    at: Moment
    bar: BarOut
    number: int
    window_from: Moment
    features: dict[str, float | None]
    sources: list[SourceOut]
    view: ViewOut | None
    holding: HoldingOut | None
    wants: str
    side: Side | None
    why: str
    outcome: Outcome
    why_not: str | None
    proposal: ProposalOut | None
    verdict: VerdictOut | None
    factors: list[FactorOut] = Field(default_factory=list)
    """The checks behind the verdict."""
    exposure: ExposureOut | None
    price: Exact | None
    sizing: list[LineOut]
    checks: list[CheckOut]
    order_ids: list[str]
    policy_digest: str
    passport: PassportOut | None
    counterfactuals: list[CounterfactualOut] = Field(default_factory=list)
    """Per source, the nearest first; empty without a view, and where the threshold is not known any more."""

    @classmethod
    def of(cls, decision: Decision, *, threshold: float | None = None) -> Self:
        """Make it from the record; `threshold` is the least size of the score that is acted on."""
        factors = [] if decision.verdict is None else [FactorOut.model_validate(f) for f in decision.verdict.factors]
        return cls.model_validate(decision).model_copy(
            update={"factors": factors, "counterfactuals": CounterfactualOut.all_of(decision, threshold)}
        )


class DifferenceOut(Out):
    """One field that came out otherwise."""

    field: str
    stored: Any
    recomputed: Any


class RecomputedOut(Out):
    """What recomputing the stored decision showed."""

    identical: bool
    differences: list[DifferenceOut]

    @classmethod
    def of(cls, found: Recomputed) -> Self:
        """Make it from what was found; values are written as JSON can."""
        differences = [
            DifferenceOut(field=d.field, stored=_shown(d.stored), recomputed=_shown(d.recomputed))
            for d in found.differences
        ]
        return cls(identical=found.identical, differences=differences)


def _shown(value: object) -> Any:
    return _ANYTHING.dump_python(value, mode="json", fallback=str)
