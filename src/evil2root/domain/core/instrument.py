"""What can be traded: its tick, lot, currency and hours."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from evil2root.domain.core.money import ZERO, Price, Quantity, down_to, exact, floor_to, nearest_to, up_to
from evil2root.domain.core.sectors import SECTORS, UNKNOWN
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval

SYMBOL = re.compile(r"[A-Z0-9^][A-Z0-9.\-=^_/]{0,23}")
"""Letters, digits and `. - = ^ _ /`; at most 24 characters, as the providers write them."""


FINEST = Decimal("1e-10")
"""Prices without a tick are kept to this step, so that sums of money stay exact."""


class AssetClass(StrEnum):
    """Decides hours, lots and costs."""

    EQUITY = "equity"
    CRYPTO = "crypto"
    FX = "fx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Daily trading hours in the exchange's own time zone."""

    name: str
    zone: str
    opens: time
    closes: time
    """Equal to `opens` for a market that does not close within the day."""

    def bounds(self, day: date) -> tuple[datetime, datetime]:
        """Return the opening and the close, in UTC, of the session that opens on `day`."""
        zone = ZoneInfo(self.zone)
        start = datetime.combine(day, self.opens, zone)
        end = datetime.combine(day, self.closes, zone)
        if self.closes <= self.opens:
            end = datetime.combine(day + timedelta(days=1), self.closes, zone)
        return start.astimezone(UTC), end.astimezone(UTC)


NEW_YORK = Session(name="XNYS", zone="America/New_York", opens=time(9, 30), closes=time(16, 0))
ROUND_THE_CLOCK = Session(name="24/7", zone="UTC", opens=time(0), closes=time(0))
FX_WEEK = Session(name="FX", zone="UTC", opens=time(0), closes=time(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One tradable thing."""

    symbol: str
    asset_class: AssetClass
    currency: str
    session: Session
    tick: Decimal | None
    """Smallest price step; none means prices are taken as they come."""
    lot: Decimal
    """Smallest quantity step."""
    minimum_notional: Decimal = ZERO
    name: str = ""
    has_volume: bool = True
    """False where no provider reports real volume (spot FX): volume caps are then off."""
    shortable: bool = True
    sector: str = UNKNOWN
    """What its company does; `unknown` where nobody said."""

    def __post_init__(self) -> None:
        require_symbol(self.symbol)
        if self.lot <= 0 or (self.tick is not None and self.tick <= 0):
            msg = f"{self.symbol}: tick {self.tick} and lot {self.lot} must be above zero."
            raise ValueError(msg)

    def price(self, raw: float | Decimal) -> Price:
        """Cross from a float to a price: nearest tick. Raises `ValueError` unless above zero and finite."""
        value = exact(raw, what=f"The price of {self.symbol}")
        value = nearest_to(value, step=self.tick or FINEST)
        if value <= 0:
            msg = f"The price of {self.symbol} is {raw}; it must be above zero after rounding to the tick {self.tick}."
            raise ValueError(msg)
        return Price(value)

    def worse(self, raw: Decimal, *, side: Side) -> Price:
        """Round a fill price to the tick, against whoever takes `side`; never below one tick."""
        if self.tick is None:
            return Price(nearest_to(raw, step=FINEST))
        rounded = up_to(raw, step=self.tick) if side is Side.BUY else down_to(raw, step=self.tick)
        return Price(max(rounded, self.tick))

    def quantity(self, raw: Decimal) -> Quantity:
        """Floor to the lot; zero when there is less than one lot."""
        return Quantity(floor_to(max(raw, ZERO), step=self.lot))

    def bar_times(self, opened: datetime | date, interval: Interval) -> tuple[datetime, datetime]:
        """Return when a bar opened and when it was known, both UTC.

        A plain date is a daily session and means that session's opening.
        """
        if not isinstance(opened, datetime):
            return self.session.bounds(opened)
        start = opened.astimezone(UTC)
        if interval is Interval.D1 and self.asset_class is AssetClass.EQUITY:
            return start, self.session.bounds(start.astimezone(ZoneInfo(self.session.zone)).date())[1]
        return start, start + interval.length


def require_symbol(symbol: str) -> str:
    """Return `symbol`, or raise `ValueError` when it can't be one."""
    if SYMBOL.fullmatch(symbol) is None:
        msg = f"{symbol!r} is not a symbol: use 1 to 24 of A-Z 0-9 . - = ^ _ / as in AAPL, BTC-USD or EURUSD=X."
        raise ValueError(msg)
    return symbol


_CRYPTO = re.compile(r"[A-Z0-9]{2,10}[-/](USD|USDT|USDC|EUR|BTC|ETH)")
_FX = re.compile(r"[A-Z]{6}=X")
_NAMES = {"AAPL": "Apple", "FB": "Facebook", "GOOG": "Google", "IBM": "IBM", "MSFT": "Microsoft", "EURUSD=X": "Euro"}


def instrument_for(symbol: str) -> Instrument:
    """Describe `symbol` by the shape of its name, as the providers write it.

    `BTC-USD` is crypto (lot 1e-6), `EURUSD=X` is FX (tick 1e-5, lot 1), anything else a US share (tick 0.01, lot 1).
    """
    require_symbol(symbol)
    name = _NAMES.get(symbol, "")
    if _CRYPTO.fullmatch(symbol):
        return Instrument(
            symbol=symbol, asset_class=AssetClass.CRYPTO, currency="USD", session=ROUND_THE_CLOCK, name=name,
            tick=Decimal("0.01"), lot=Decimal("0.000001"), minimum_notional=Decimal(1), shortable=False,
        )  # fmt: skip
    if _FX.fullmatch(symbol):
        return Instrument(
            symbol=symbol, asset_class=AssetClass.FX, currency=symbol[3:6], session=FX_WEEK, name=name,
            tick=Decimal("0.00001"), lot=Decimal(1), minimum_notional=Decimal(1), has_volume=False,
        )  # fmt: skip
    return Instrument(
        symbol=symbol, asset_class=AssetClass.EQUITY, currency="USD", session=NEW_YORK, name=name,
        tick=Decimal("0.01"), lot=Decimal(1), minimum_notional=Decimal(1), sector=SECTORS.get(symbol, UNKNOWN),
    )  # fmt: skip
