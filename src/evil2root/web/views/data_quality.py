"""How good a symbol's data is: the passport of its last bar, and the newest oddities with what was done."""

from dataclasses import dataclass

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.quality import Issue
from evil2root.domain.risk.limits import Limits
from evil2root.engine.desk import Desk
from evil2root.web import format as f
from evil2root.web.views.common import Place, place_of

ISSUES_SHOWN = 5

WORDS = {
    "gap": "Gap", "duplicate": "Told twice", "out_of_order": "Out of order", "split": "Split", "spike": "Spike",
    "stale": "Stale", "unit": "Unit", "bad_value": "Bad value", "outside_session": "Outside session",
    "silent": "No answer", "unreadable": "Unreadable", "empty": "Empty answer",
}  # fmt: skip
DONE = {"none": "kept as told", "quarantined": "set aside", "dropped": "one kept", "sorted": "put in order",
        "passed_over": "nothing to keep"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueLine:
    """One oddity."""

    kind: str
    at: f.Moment
    done: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataCard:
    """The part of the symbol's page."""

    says: str
    good: bool
    pairs: tuple[tuple[str, str], ...]
    source: str
    issues: tuple[IssueLine, ...]
    more: int
    """Issues that are not shown here."""
    href: str


async def data_card(desk: Desk, symbol: str, interval: Interval) -> DataCard:
    """Read the report and put it into words."""
    status = desk.status()
    place = place_of(desk.policy, status.now)
    quality = await desk.reads.quality(symbol, interval, until=status.now)
    passport, pairs, problems = quality.passport, [("Bars", f"{quality.bars:,}")], []
    if passport is not None:
        pairs += [
            ("Missing", f"{passport.missing} of the last {passport.expected}"),
            ("Repaired", f"{passport.repaired} of them"),
            ("Second source", "agrees" if passport.agreed else "none"),
        ]
        problems = _problems(desk.policy.limits, missing=passport.missing, repeats=passport.repeats,
                             off_calendar=passport.off_calendar)  # fmt: skip
    says = "; ".join(problems) or "Good enough to trade on"
    if passport is None:
        says = "No bars to judge" if quality.bars == 0 else "No calendar to hold it against"
    newest = quality.issues[::-1][:ISSUES_SHOWN]
    return DataCard(
        says=f"{says}.", good=passport is not None and not problems, pairs=tuple(pairs), source=quality.source,
        issues=tuple(_line(issue, place) for issue in newest), more=max(0, len(quality.issues) - len(newest)),
        href=f"/api/v1/symbols/{f.path(symbol)}/quality?interval={interval.value}",
    )  # fmt: skip


def _problems(limits: Limits, *, missing: int, repeats: int, off_calendar: bool) -> list[str]:
    """What the risk gate would refuse an entry for."""
    found = []
    if limits.missing_bars_max is not None and missing > limits.missing_bars_max:
        found.append(f"Too many bars are missing: no entries beyond {limits.missing_bars_max}")
    if limits.missing_bars_max is not None and off_calendar:
        found.append("The last bar is none the calendar knows: no entries on it")
    if limits.repeated_bars_max is not None and repeats > limits.repeated_bars_max:
        found.append(f"The last {repeats} bars are alike: no entries beyond {limits.repeated_bars_max}")
    return found


def _line(issue: Issue, place: Place) -> IssueLine:
    return IssueLine(
        kind=WORDS.get(issue.kind, issue.kind), at=place.day(issue.start), done=DONE.get(issue.action, issue.action),
        detail=f.true_minus(issue.detail),
    )  # fmt: skip
