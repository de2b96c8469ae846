"""What can be traded: its tick, lot, currency and hours."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from evil2root.domain.core.listings import CURRENCIES, HUNDREDTHS, LISTINGS, NEW_YORK, Session
from evil2root.domain.core.money import ONE, ZERO, Price, Quantity, down_to, exact, floor_to, nearest_to, up_to
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


ROUND_THE_CLOCK = Session(name="24/7", zone="UTC", opens=time(0), closes=time(0))
FX_WEEK = Session(name="FX", zone="UTC", opens=time(0), closes=time(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One tradable thing."""

    symbol: str
    asset_class: AssetClass
    currency: str
    """What its price is quoted in, always a whole currency: GBP for a share quoted in pence."""
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
    base: str = ""
    """The currency or coin one unit is, for pairs: an FX or crypto pair is also the rate from it to `currency`."""
    quote_unit: Decimal = ONE
    """How much of `currency` a price of 1 is: 0.01 for shares quoted in pence."""
    sector: str = UNKNOWN
    """What its company does; `unknown` where nobody said."""

    def __post_init__(self) -> None:
        require_symbol(self.symbol)
        if self.lot <= 0 or (self.tick is not None and self.tick <= 0):
            msg = f"{self.symbol}: tick {self.tick} and lot {self.lot} must be above zero."
            raise ValueError(msg)

    @property
    def told_in(self) -> str | None:
        """What sources write beside prices: the currency, or its hundredth; none for an index, a level and no money."""
        if self.symbol.startswith("^"):
            return None
        return self.currency if self.quote_unit == ONE else HUNDREDTHS.get(self.currency)

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


_CRYPTO = re.compile(r"([A-Z0-9]{2,10})[-/](USDT|USDC|BTC|ETH|[A-Z]{3})")
_FX = re.compile(r"([A-Z]{3})?([A-Z]{3})=X|([A-Z]{3})([A-Z]{3})")
_SUFFIX = re.compile(r"[A-Z0-9\-]+\.([A-Z]{1,3})")
_COINS = {"USDT", "USDC", "BTC", "ETH"}
_NAMES = {"AAPL": "Apple", "FB": "Facebook", "GOOG": "Google", "IBM": "IBM", "MSFT": "Microsoft", "EURUSD=X": "Euro"}


def instrument_for(symbol: str) -> Instrument:
    """Describe `symbol` by the shape of its name, as the providers write it.

    `BTC-EUR` is crypto quoted in EUR (lot 1e-6), `EURUSD=X` or `EURUSD` is FX quoted in USD (tick 1e-5, lot 1), `JPY=X`
    is USDJPY. `AIR.PA`, `SAP.DE`, `VOD.L` are shares in the currency of their exchange, those of London in pence (a few
    there are quoted in pounds or dollars; the name does not tell). Anything else is a US share (tick 0.01, lot 1).
    Raises `ValueError` for a suffix of two or three letters that names no known exchange: its currency is unknown.
    """
    require_symbol(symbol)
    name = _NAMES.get(symbol, "")
    crypto = _CRYPTO.fullmatch(symbol)
    if crypto is not None and crypto[2] in CURRENCIES | _COINS:
        coarse = crypto[2] not in {"BTC", "ETH"}
        return Instrument(
            symbol=symbol, asset_class=AssetClass.CRYPTO, currency=crypto[2], session=ROUND_THE_CLOCK, name=name,
            tick=Decimal("0.01") if coarse else Decimal("0.00000001"), lot=Decimal("0.000001"),
            minimum_notional=Decimal(1) if coarse else Decimal("0.0001"), shortable=False, base=crypto[1],
        )  # fmt: skip
    pair = _pair(symbol)
    if pair is not None:
        base, quote = pair
        return Instrument(
            symbol=symbol, asset_class=AssetClass.FX, currency=quote, session=FX_WEEK, name=name, base=base,
            tick=Decimal("0.001") if quote == "JPY" else Decimal("0.00001"), lot=Decimal(1),
            minimum_notional=Decimal(1), has_volume=False,
        )  # fmt: skip
    return _share(symbol, name)


def _pair(symbol: str) -> tuple[str, str] | None:
    """Return base and quote of an FX symbol. `JPY=X` is written for USDJPY; a bare pair needs two known codes."""
    found = _FX.fullmatch(symbol)
    if found is None:
        return None
    if found[2] is not None:
        return found[1] or "USD", found[2]
    return (found[3], found[4]) if {found[3], found[4]} <= CURRENCIES and found[3] != found[4] else None


def _share(symbol: str, name: str) -> Instrument:
    found = _SUFFIX.fullmatch(symbol)
    listing = None if found is None else LISTINGS.get(found[1])
    if found is not None and listing is None and len(found[1]) > 1:
        msg = f"{symbol}: .{found[1]} names no exchange that is known here, so its currency is unknown."
        raise ValueError(msg)
    currency, unit, session = ("USD", ONE, NEW_YORK) if listing is None else listing
    return Instrument(
        symbol=symbol, asset_class=AssetClass.EQUITY, currency=currency, session=session, name=name,
        tick=Decimal("0.01"), lot=Decimal(1), minimum_notional=Decimal(1), sector=SECTORS.get(symbol, UNKNOWN),
        quote_unit=unit,
    )  # fmt: skip
