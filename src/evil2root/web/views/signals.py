"""The sources of signals: how far can each be believed?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, sqrt

from evil2root.domain.signals.calibration import OUTCOMES_MIN
from evil2root.domain.signals.reliability import CLASSES, Reliability
from evil2root.engine.desk import Desk
from evil2root.engine.source_reports import Calibration, SourceReport, sources_report
from evil2root.engine.weights_kept import WeightChange
from evil2root.web import format as f
from evil2root.web.views.common import Badge, Delta, place_of
from evil2root.web.views.symbols import source_name

SIDE = 200
"""Side of the square of a reliability curve, in its own units."""
_EDGE = 26
"""Room for its labels."""
DOT_MAX = 7.0
"""Radius of the class with the most outcomes; areas are as counts."""
INDEPENDENT_MIN = 100
"""Outcomes that do not overlap, before a verdict is passed."""
NO_DIFFERENCE = 0.002
"""Skill nearer to 0 than this reads as no better than the base rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A class of probabilities on the curve."""

    x: str
    y: str
    r: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What was said (to the right) beside what happened (upwards); on the diagonal both are one."""

    label: str
    path: str
    dots: tuple[Dot, ...]
    base_y: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One source, or the fused view."""

    name: str
    about: str
    weight: str
    outcomes: str
    brier: str
    base: str
    skill: Delta | None
    error: str
    verdict: Badge
    curve: Curve | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRow:
    """How one source's scores are read on one symbol now."""

    symbol: str
    source: str
    regime: str
    slope: str
    base: str
    outcomes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightField:
    """One source's weight, to be changed."""

    field: str
    label: str
    value: str
    """As it is, or as it was typed."""
    is_wrong: bool
    """Is it no weight by itself? Where each is one and only their sum is wrong, none is marked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsForm:
    """All weights, to be changed together."""

    fields: tuple[WeightField, ...]
    total: str
    problem: str
    since: str
    """Who changed them last; empty while they are those of the settings."""
    seen: int
    """The number of that change, 0 for none: what is on the page is what whoever sends the form has seen."""

    @property
    def first_to_look_at(self) -> WeightField | None:
        """The first wrong one, or the first of all."""
        return next((one for one in self.fields if one.is_wrong), self.fields[0] if self.fields else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalsPage:
    """Everything about the sources."""

    answer: str
    sub: str
    rows: tuple[SourceRow, ...]
    calibrations: tuple[CalibrationRow, ...]
    weights: WeightsForm


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Weights that were typed and not taken."""

    typed: Mapping[str, str]
    seen: int
    problem: str


async def signals_page(desk: Desk, *, draft: Draft | None = None) -> SignalsPage:
    """Build the page from stored history."""
    newest = desk.weighing.newest  # before the weights are read: a change between the two is then one nobody has seen
    report = await sources_report(desk)
    weights = _weights_form(desk, report.sources, newest, draft)
    if not report.sources:
        return SignalsPage(answer="", sub="", rows=(), calibrations=(), weights=weights)
    rows = [_row(one.reliability, _about(one), f.num(one.weight)) for one in report.sources]
    if report.fused is not None:
        rows.append(_row(report.fused, f"the pool of all, held against {report.fused.horizon} bars", ""))
    more = f", {report.left_out} more are left out" if report.left_out else ""
    return SignalsPage(
        answer=_answer([one.reliability for one in report.sources], report.fused),
        sub=f"{', '.join(report.symbols) or 'No symbol has bars yet'}, bars of {desk.policy.interval.value}{more}",
        rows=tuple(rows),
        calibrations=tuple(_calibration(c, one.source.name) for one in report.sources for c in one.calibrations),
        weights=weights,
    )


FIELD = "weight_"
"""Begins the names of the form's fields."""


def _weights_form(
    desk: Desk, sources: Sequence[SourceReport], newest: WeightChange | None, draft: Draft | None
) -> WeightsForm:
    draft = draft or Draft(typed={}, seen=0 if newest is None else newest.number, problem="")
    values = [draft.typed.get(one.source.name, f"{one.weight:.12g}") for one in sources]
    fields = tuple(
        WeightField(
            field=f"{FIELD}{one.source.name}",
            label=source_name(one.source.name),
            value=value,
            is_wrong=not _fits(value),
        )
        for one, value in zip(sources, values, strict=True)
    )
    newest = desk.weighing.newest
    since = ""
    if newest is not None:
        stamp = place_of(desk.policy, desk.status().now).stamp(newest.at).text
        since = f"{newest.actor} {'gave back those of the settings' if newest.weights is None else 'set them'}, {stamp}"
    return WeightsForm(fields=fields, total=_total(fields), problem=draft.problem, since=since, seen=draft.seen)


def _fits(value: str) -> bool:
    try:
        return 0.0 <= float(value) <= 1.0
    except ValueError:
        return False


def _total(fields: Sequence[WeightField]) -> str:
    try:
        return f"{fsum(float(one.value) for one in fields):.12g}"
    except ValueError:
        return "no number"


def _is_enough(found: Reliability) -> bool:
    return found.outcomes >= INDEPENDENT_MIN * found.horizon


def _about(report: SourceReport) -> str:
    return f"v{report.source.version}, {report.source.horizon} bars ahead"


def _answer(sources: list[Reliability], fused: Reliability | None) -> str:
    """The page's question in a sentence."""
    measured = [one for one in sources if _is_enough(one)]
    if not measured:
        return (
            f"Too little is known for a verdict: outcomes count from bar 300 on, a source is calibrated from "
            f"{OUTCOMES_MIN} of them, and {INDEPENDENT_MIN} that do not overlap are asked."
        )
    better = [source_name(one.source) for one in measured if (one.skill or 0.0) > NO_DIFFERENCE]
    said = f"{len(better)} of {len(measured)} sources said more than the base rate"
    said += f" ({', '.join(better)})." if better else "."
    if fused is None or fused.skill is None or not _is_enough(fused):
        return said
    word = (
        "better than" if fused.skill > NO_DIFFERENCE else "worse than" if fused.skill < -NO_DIFFERENCE else "as good as"
    )
    return f"{said} Their view is {word} always saying {f.pct(fused.base_rate or 0.0, 1)}."


def _row(found: Reliability, about: str, weight: str) -> SourceRow:
    name = source_name(found.source)
    if found.skill is None or found.brier is None or found.brier_base is None or found.error is None:
        return SourceRow(name=name, about=about, weight=weight, outcomes=f"{found.outcomes:,}", brier="not yet",
                         base="not yet", skill=None, error="not yet", curve=None,
                         verdict=Badge(label="Not yet", tone="mute", glyph="clock"))  # fmt: skip
    return SourceRow(
        name=name, about=about, weight=weight, outcomes=f"{found.outcomes:,}", brier=f.num(found.brier, 4),
        base=f.num(found.brier_base, 4),
        skill=Delta(text=f.pct(found.skill, 1, plus=True), tone=f.tone(found.skill * 100, 1)),
        error=f.pct(found.error, 1), verdict=_verdict(found), curve=_curve(found, name),
    )  # fmt: skip


def _verdict(found: Reliability) -> Badge:
    skill = found.skill or 0.0
    if not _is_enough(found):
        return Badge(label="Too few", tone="mute", glyph="clock")
    if skill > NO_DIFFERENCE:
        return Badge(label="Better", tone="good", glyph="check")
    if skill < -NO_DIFFERENCE:
        return Badge(label="Worse", tone="warn", glyph="alert")
    return Badge(label="No better", tone="plain", glyph="minus")


def _curve(found: Reliability, name: str) -> Curve:
    most = max(one.count for one in found.classes)
    dots = tuple(
        Dot(
            x=_x(one.p_up), y=_y(one.rose), r=f"{max(1.5, DOT_MAX * sqrt(one.count / most)):.1f}",
            title=f"Said {f.pct(one.p_up, 1)}, rose {f.pct(one.rose, 1)} of {one.count:,} times",
        )
        for one in found.classes
    )  # fmt: skip
    said = "; ".join(dot.title.lower() for dot in dots)
    return Curve(
        label=f"Reliability of {name} in {CLASSES} classes: {said}", dots=dots,
        path="M" + "L".join(f"{dot.x} {dot.y}" for dot in dots), base_y=_y(found.base_rate or 0.0),
    )  # fmt: skip


def _x(value: float) -> str:
    return f"{_EDGE + value * SIDE:.1f}"


def _y(value: float) -> str:
    return f"{8 + (1.0 - value) * SIDE:.1f}"


def _calibration(found: Calibration, source: str) -> CalibrationRow:
    prior = found.slope is None or found.base is None
    return CalibrationRow(
        symbol=found.symbol, source=source_name(source), regime=found.regime or "not yet",
        slope="prior" if prior else f.num(found.slope or 0.0, 3, plus=True),
        base="prior" if prior else f.num(found.base or 0.0, 3, plus=True),
        outcomes=f"{found.outcomes:,}" + (f" of {OUTCOMES_MIN}" if prior else ""),
    )  # fmt: skip
