"""Sources, in the shape scripts read."""

from typing import Annotated, Self

from pydantic import Field

from evil2root.api.strict import Body
from evil2root.api.values import Moment, Out
from evil2root.domain.signals.reliability import Reliability
from evil2root.engine.source_reports import SourceReport, SourcesReport
from evil2root.engine.weights_kept import WeightChange

SourceName = Annotated[str, Field(min_length=1, max_length=60)]
SourceWeight = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class ClassOut(Out):
    """Probabilities that lie together, and the share after which the price had risen."""

    p_up: float
    rose: float
    count: int


class ReliabilityOut(Out):
    """Probabilities beside what happened; null before the first outcome."""

    horizon: int
    outcomes: int
    base_rate: float | None
    brier: float | None
    brier_base: float | None
    skill: float | None
    """1 - brier / brier_base: below 0 it does worse than always saying the base rate."""
    error: float | None
    """Expected calibration error over ten classes."""
    classes: list[ClassOut]

    @classmethod
    def of(cls, found: Reliability) -> Self:
        """Make it from what was measured."""
        return cls.model_validate(found)


class CalibrationOut(Out):
    """How a score is read on a symbol's newest bar; slope and base are null while the prior speaks."""

    symbol: str
    regime: str
    slope: float | None
    base: float | None
    outcomes: int


class SourceReportOut(Out):
    """One source."""

    name: str
    version: str
    horizon: int
    """Bars ahead its probability speaks of."""
    inputs: list[str]
    warm_up: int
    default_weight: float = Field(ge=0, le=1)
    scores: ReliabilityOut
    calibration: list[CalibrationOut]

    @classmethod
    def of(cls, report: SourceReport) -> Self:
        """Make it from the report."""
        source = report.source
        return cls(
            name=source.name, version=source.version, horizon=source.horizon,
            default_weight=report.weight, inputs=list(source.inputs), warm_up=source.warm_up,
            scores=ReliabilityOut.of(report.reliability),
            calibration=[CalibrationOut.model_validate(one) for one in report.calibrations],
        )  # fmt: skip


class WeightChangeOut(Out):
    """A change of the default weights by a person."""

    number: int
    at: Moment
    actor: str
    weights: dict[str, float] | None
    """Null: back to those of the settings."""


class WeightsIn(Body):
    """Other default weights."""

    weights: dict[SourceName, SourceWeight] | None = Field(
        max_length=50, examples=[{"trend_following": 0.1, "breakout": 0.25}]
    )
    """Those that change; null gives back those of the settings."""
    seen: int | None = Field(default=None, ge=0)
    """`changed.number` as you read it, 0 for null: when another change is in force by now, nothing changes (409)."""


class SourcesOut(Out):
    """Every source of the strategy in force, and their pooled view."""

    strategy: str
    items: list[SourceReportOut]
    """Empty for a strategy that asks nobody."""
    fused: ReliabilityOut | None
    symbols: list[str]
    """Those whose history was looked at."""
    changed: WeightChangeOut | None
    """The newest change of the weights; null as long as they are those of the settings from the start."""

    @classmethod
    def of(cls, report: SourcesReport, *, changed: WeightChange | None) -> Self:
        """Make it from the report."""
        return cls(
            strategy=report.strategy, items=[SourceReportOut.of(one) for one in report.sources],
            fused=None if report.fused is None else ReliabilityOut.of(report.fused), symbols=list(report.symbols),
            changed=None if changed is None else WeightChangeOut.model_validate(changed),
        )  # fmt: skip
