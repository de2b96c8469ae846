"""Parts that several pages show: signed figures, badges, and the words for outcomes and order states."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from evil2root.domain.book.orders import OrderState
from evil2root.domain.core.instrument import Instrument
from evil2root.domain.core.money import Price
from evil2root.domain.core.side import Side
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.record import Outcome
from evil2root.web import format as f
from evil2root.web.format import Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A signed figure; its tone is the sign of what is shown."""

    text: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """A state in a word, with an icon."""

    label: str
    tone: str
    """`good bad warn info mute plain`: filled is a state, an outline a decision against, muted nothing happened."""
    glyph: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SideWord:
    """Buy or sell, neutral in colour."""

    value: str
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How times and money are written for this account: what it calls now, its zone and its currency."""

    now: datetime
    zone: str
    currency: str
    instruments: Mapping[str, Instrument]
    marks: Mapping[str, Price] = field(default_factory=dict)
    """Last price of every symbol seen."""
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    """Account currency for a price of 1, of symbols quoted in another."""

    def moment(self, at: datetime) -> Moment:
        """A time, relative when it is recent."""
        return f.moment(at, now=self.now, zone=self.zone)

    def stamp(self, at: datetime) -> Moment:
        """A time, never relative."""
        return f.moment(at, now=self.now, zone=self.zone, exact_time=True)

    def day(self, at: datetime) -> Moment:
        """A date."""
        return f.day(at, now=self.now, zone=self.zone)

    def money(self, amount: f.Number, *, plus: bool = False, whole: bool = False) -> str:
        """An amount in the account's currency."""
        return f.money(amount, currency=self.currency, plus=plus, whole=whole)

    def gain(self, amount: Decimal) -> Delta:
        """A profit or a loss."""
        return Delta(text=self.money(amount, plus=True), tone=f.tone(amount))

    def price(self, symbol: str, value: f.Number) -> str:
        """A price by the instrument's tick; what it is quoted in is said where that is not the account's currency."""
        instrument = self.instruments.get(symbol)
        if instrument is None:
            return f.price(value, tick=None)
        text = f.price(value, tick=instrument.tick)
        if instrument.quote_unit != 1:
            return f"{text} {instrument.currency}/{1 / instrument.quote_unit:f}"
        return text if instrument.currency == self.currency else f"{text} {instrument.currency}"

    def name(self, symbol: str) -> str:
        """The instrument's name, empty when it has none."""
        instrument = self.instruments.get(symbol)
        return instrument.name if instrument is not None else ""


def place_of(policy: Policy, now: datetime, *, marks: Mapping[str, Price] | None = None,
             rates: Mapping[str, Decimal] | None = None) -> Place:  # fmt: skip
    """Where the account lives: New York as soon as it trades anything there, else UTC."""
    zones = {i.session.zone for i in policy.instruments.values()}
    zone = f.NEW_YORK if f.NEW_YORK in zones else "UTC"
    return Place(now=now, zone=zone, currency=policy.currency, instruments=policy.instruments, marks=marks or {},
                 rates=rates or {})  # fmt: skip


def rate(frac: f.Number, *, plus: bool = True) -> Delta:
    """A signed rate in percent."""
    return Delta(text=f.pct(frac, plus=plus), tone=f.tone(f.exact(frac) * 100))


def points(frac: f.Number) -> Delta:
    """A signed difference of rates in percentage points."""
    return Delta(text=f.pp(frac), tone=f.tone(f.exact(frac) * 100))


def multiple(r: Decimal | None) -> Delta | None:
    """A result in R; none when there is none."""
    return None if r is None else Delta(text=f.multiple(r), tone=f.tone(r))


def side_word(side: Side | None) -> SideWord | None:
    """Buy or Sell; none for a decision that wants neither."""
    return None if side is None else SideWord(value=side.value, word="Buy" if side is Side.BUY else "Sell")


OUTCOMES: Mapping[Outcome, Badge] = {
    Outcome.WARMING_UP: Badge(label="Warming up", tone="mute", glyph="clock"),
    Outcome.NO_OPINION: Badge(label="No opinion", tone="mute", glyph="minus"),
    Outcome.BELOW_THRESHOLD: Badge(label="Below threshold", tone="mute", glyph="minus"),
    Outcome.HOLDING: Badge(label="Holding", tone="mute", glyph="check"),
    Outcome.WAITING: Badge(label="Already under way", tone="mute", glyph="clock"),
    Outcome.AWAITING_VERDICT: Badge(label="Awaiting verdict", tone="info", glyph="clock"),
    Outcome.AWAITING_OPEN: Badge(label="Awaiting the open", tone="info", glyph="clock"),
    Outcome.LATE: Badge(label="Verdict too late", tone="plain", glyph="clock"),
    Outcome.REJECTED: Badge(label="Rejected", tone="plain", glyph="x"),
    Outcome.REFUSED: Badge(label="Vetoed by risk", tone="plain", glyph="shield"),
    Outcome.HALTED: Badge(label="Entries halted", tone="plain", glyph="stop"),
    Outcome.ORDERED: Badge(label="Ordered", tone="info", glyph="clock"),
    Outcome.EXIT_ORDERED: Badge(label="Exit ordered", tone="info", glyph="clock"),
    Outcome.ADOPTED: Badge(label="Adopted from the broker", tone="info", glyph="check"),
}

ORDERS: Mapping[OrderState, Badge] = {
    OrderState.PENDING: Badge(label="Not sent yet", tone="info", glyph="clock"),
    OrderState.SENDING: Badge(label="Being sent", tone="info", glyph="clock"),
    OrderState.ACCEPTED: Badge(label="Working", tone="info", glyph="clock"),
    OrderState.PARTIAL: Badge(label="Partly filled", tone="info", glyph="clock"),
    OrderState.FILLED: Badge(label="Filled", tone="good", glyph="check"),
    OrderState.REJECTED: Badge(label="Rejected by broker", tone="bad", glyph="x"),
    OrderState.UNKNOWN: Badge(label="Outcome unknown", tone="warn", glyph="alert"),
    OrderState.CANCEL_SENT: Badge(label="Being canceled", tone="info", glyph="clock"),
    OrderState.CANCELED: Badge(label="Canceled", tone="mute", glyph="minus"),
    OrderState.EXPIRED: Badge(label="Expired", tone="mute", glyph="clock"),
    OrderState.NOT_PLACED: Badge(label="Not placed", tone="warn", glyph="alert"),
}

ACTED = (
    Outcome.AWAITING_VERDICT, Outcome.AWAITING_OPEN, Outcome.LATE, Outcome.REJECTED, Outcome.REFUSED, Outcome.HALTED,
    Outcome.ORDERED, Outcome.EXIT_ORDERED,
)  # fmt: skip
"""Outcomes of decisions that wanted something."""


def order_badge(state: OrderState) -> Badge:
    """An order's state in a word."""
    return ORDERS[state]


def outcome_badge(outcome: Outcome, order_state: str | None) -> Badge:
    """How far a decision went; what was ordered is told by its order."""
    if outcome not in (Outcome.ORDERED, Outcome.EXIT_ORDERED) or order_state is None:
        return OUTCOMES[outcome]
    badge = ORDERS[OrderState(order_state)]
    if outcome is Outcome.EXIT_ORDERED and order_state == OrderState.FILLED:
        return Badge(label="Exit filled", tone="good", glyph="check")
    return badge


def sentence(text: str) -> str:
    """A reason with a capital, a full stop and true minus signs."""
    text = f.true_minus(text.strip())
    if not text:
        return text
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")
