"""From the currency a price is quoted in to the account's: by the last known prices of pairs, never by assumption."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal

from evil2root.domain.core.instrument import Instrument
from evil2root.domain.core.money import ONE, Price

DIGITS = Context(prec=12)
"""Rates are kept to twelve digits: ten thousand millions are then right to the cent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """How the price of one instrument becomes money of the account."""

    currency: str
    """What it is quoted in."""
    account_currency: str
    unit: Decimal
    """How much of `currency` a price of 1 is."""
    steps: tuple[tuple[str, bool], ...] | None
    """Pairs to go through, each with whether it is divided by; none when no pair that is watched leads there."""

    def rate(self, marks: Mapping[str, Price]) -> Decimal | None:
        """Return the account's currency for a price of 1, by the last known closes; none while one is missing."""
        if self.steps is None:
            return None
        rate = self.unit
        for symbol, divides in self.steps:
            mark = marks.get(symbol)
            if mark is None:
                return None
            rate = rate / mark if divides else rate * mark
        return DIGITS.plus(rate)

    @property
    def missing(self) -> str:
        """Say what to do about a rate that is not known."""
        ours, theirs = self.account_currency, self.currency
        if self.steps is None:
            return (
                f"No rate from {theirs} to {ours} is known: add {theirs}{ours}=X to the watchlist "
                "or to EVIL2ROOT_RATES, with its bars."
            )
        pairs = ", ".join(symbol for symbol, _ in self.steps)
        return f"No rate from {theirs} to {ours} is known yet: {pairs} has no close so far."


def conversions_of(instruments: Iterable[Instrument], *, currency: str) -> dict[str, Conversion]:
    """Return how every instrument that is not simply quoted in `currency` converts, by symbol.

    The way over the fewest pairs is taken, of equal ones that of the pair named first. Cost: instruments x pairs.
    """
    every = list(instruments)
    pairs = [one for one in every if one.base]
    ways: dict[str, tuple[tuple[str, bool], ...] | None] = {}
    found = {}
    for one in every:
        if one.currency == currency and one.quote_unit == ONE:
            continue
        if one.currency not in ways:
            ways[one.currency] = _way(one.currency, currency, pairs)
        found[one.symbol] = Conversion(
            currency=one.currency, account_currency=currency, unit=one.quote_unit, steps=ways[one.currency]
        )
    return found


def _way(start: str, goal: str, pairs: list[Instrument]) -> tuple[tuple[str, bool], ...] | None:
    """Search breadth first from one currency to another."""
    seen, waiting = {start}, deque([(start, tuple[tuple[str, bool], ...]())])
    while waiting:
        here, way = waiting.popleft()
        if here == goal:
            return way
        for pair in pairs:
            for a, b, divides in ((pair.base, pair.currency, False), (pair.currency, pair.base, True)):
                if a == here and b not in seen:
                    seen.add(b)
                    waiting.append((b, (*way, (pair.symbol, divides))))
    return None
