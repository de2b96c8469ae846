"""What companies publish, each number with the moment it was known from, and the dates they announce.

A quarter that ends in March is published in May: its revenue counts from May. What nobody dates counts from the moment
it was told to us, and no earlier.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from math import isfinite
from typing import Protocol

from evil2root.domain.core.timeframe import require_aware

PUBLISHED_WITHIN = timedelta(days=120)
"""A report that comes later than this after its period ended is not the first one about it."""
PUBLISHED_AFTER = timedelta(days=10)
"""One that comes earlier is a late one about the period before: nobody closes books faster."""
DAY_OVER = timedelta(hours=36)
"""From midnight UTC until a day is over everywhere; filings come in until late in the evening of New York."""


class FundamentalsUnavailable(Exception):  # noqa: N818 - named for what is wrong, as the trade says it
    """Nobody tells anything of this company: the source is away, or does not know it."""


class Period(StrEnum):
    """What a number is about."""

    QUARTER = "quarter"
    YEAR = "year"
    NOW = "now"  # a ratio or size as of the moment it was told


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One published number. Money in `currency`, ratios as fractions, per-share values in currency a share."""

    name: str
    """Ours, in snake case: `revenue`, `net_income`, `price_to_book`."""
    value: float
    period: Period
    ended_on: date
    known_from: datetime
    is_dated: bool
    """Did somebody say when it was published? Otherwise it is known from when it was told."""

    def __post_init__(self) -> None:
        require_aware(self.known_from, what=f"{self.name} of {self.ended_on}: known_from")
        if not isfinite(self.value):
            msg = f"{self.name} of {self.ended_on} is {self.value}; a fact is a finite number, or is left out."
            raise ValueError(msg)
        if self.known_from.date() < self.ended_on:
            msg = f"{self.name} of {self.ended_on} can't be known from {self.known_from}, before its period ended."
            raise ValueError(msg)


class EventKind(StrEnum):
    """What happens on an announced date."""

    EARNINGS = "earnings"
    EX_DIVIDEND = "ex_dividend"  # whoever buys from this day on does not get it
    DIVIDEND_PAID = "dividend_paid"
    SPLIT = "split"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyEvent:
    """An announced date: known in `[known_from, known_until)`, the latter when it was moved or called off."""

    kind: EventKind
    at: datetime
    known_from: datetime
    known_until: datetime | None = None
    value: float | None = None
    """Dividend a share, or new shares for an old one; none where it is not told."""

    def __post_init__(self) -> None:
        for name in ("at", "known_from"):
            require_aware(getattr(self, name), what=f"{self.kind}: {name}")
        if self.known_until is not None and self.known_until <= self.known_from:
            msg = f"{self.kind} at {self.at} is known from {self.known_from} until {self.known_until}: never."
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """All that one source told of one company at one moment."""

    symbol: str
    source: str
    told_at: datetime
    facts: tuple[Fact, ...]
    events: tuple[CompanyEvent, ...]
    currency: str | None = None
    """Of its statements; none when it is not told."""

    def known(self, at: datetime, *, period: Period) -> dict[str, Fact]:
        """Return the newest fact of each name among those known at `at`; of two about one period the later told."""
        newest: dict[str, Fact] = {}
        for fact in sorted(self.facts, key=lambda f: (f.ended_on, f.known_from)):
            if fact.period is period and fact.known_from <= at:
                newest[fact.name] = fact
        return newest

    def ahead(self, at: datetime, *, kind: EventKind) -> CompanyEvent | None:
        """Return the next event of a kind that was known of at `at`; none when nothing was announced."""
        known = [e for e in self.events if e.kind is kind and e.at > at and is_known(e, at)]
        return min(known, key=lambda e: e.at, default=None)


class Fundamentals(Protocol):
    """Tells of companies. Raises `FundamentalsUnavailable`; what it does not know is left out, never made up.

    An answer may be some hours old (`Company.told_at` says how old): it is for days, not for minutes.
    """

    @property
    def name(self) -> str: ...

    async def company(self, symbol: str) -> Company: ...


def is_known(event: CompanyEvent, at: datetime) -> bool:
    """Did anybody know of it then?"""
    return event.known_from <= at and (event.known_until is None or at < event.known_until)


def published(ended_on: date, published_on: Iterable[date]) -> date | None:
    """Return the first day of `published_on` after a period's end that can be the report on it; none without one."""
    later = [day for day in published_on if ended_on + PUBLISHED_AFTER <= day <= ended_on + PUBLISHED_WITHIN]
    return min(later, default=None)
