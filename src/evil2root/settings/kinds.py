"""The kinds of values a setting can have. Each says its limit in words, so that a refusal can name it."""

import re
from collections.abc import Iterable
from decimal import Decimal
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr

from evil2root.domain.core.instrument import require_symbol
from evil2root.domain.core.sectors import SECTORS
from evil2root.domain.core.timeframe import Interval, interval

WATCHLIST_MAX = 500
"""Symbols one process follows; more than anyone has tried."""

AMOUNT_MAX = Decimal(1_000_000_000_000)
"""Largest amount of money a setting may name: above it a typing error is likelier than a fortune."""


def nearest(wrong: str, right: Iterable[str]) -> str:
    """Return `; did you mean X?` for the likeliest of `right`, or nothing when none is like it."""
    close = get_close_matches(wrong, list(right), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def _none_word(value: Any) -> Any:
    return None if isinstance(value, str) and value.strip().lower() in {"none", "off"} else value


def _names(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _watchlist(value: Any) -> Any:
    names = tuple(name.upper() for name in _names(value))
    for name in names:
        require_symbol(name)
    twice = [name for place, name in enumerate(names) if name in names[:place]]
    if twice:
        msg = f"{twice[0]} is named twice; name each symbol once."
        raise ValueError(msg)
    if len(names) > WATCHLIST_MAX:
        msg = f"It names {len(names)} symbols; at most {WATCHLIST_MAX} are followed."
        raise ValueError(msg)
    return names


def _interval(value: Any) -> Any:
    return interval(value) if isinstance(value, str) else value


_PROVIDERS = ("yfinance", "alpaca", "ccxt:EXCHANGE", "tiingo", "folder", "simulated", "replay")


def _providers(value: Any) -> Any:
    names = _names(value)
    if not names:
        msg = f"Name at least one source of {', '.join(_PROVIDERS)}."
        raise ValueError(msg)
    for place, name in enumerate(names):
        is_exchange = re.fullmatch(r"ccxt:[a-z0-9]{2,30}", name) is not None
        if not is_exchange and (":" in name or name not in _PROVIDERS):
            hint = nearest(name, _PROVIDERS) or "."
            msg = f"{name!r} is no source of market data{hint} Known are {', '.join(_PROVIDERS)}."
            raise ValueError(msg)
        if name in names[:place]:
            msg = f"{name} is named twice; name each source once, in the order they are to be asked."
            raise ValueError(msg)
    return names


def _one_of_brokers(value: Any) -> Any:
    if not re.fullmatch(r"paper|alpaca|ccxt:[a-z0-9]+", str(value)):
        known = ("paper", "alpaca", "ccxt:EXCHANGE")
        msg = f"{value!r} is no broker{nearest(str(value), known)} Known are {', '.join(known)}."
        raise ValueError(msg)
    return value


def _address(*schemes: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if isinstance(text, str) and not re.match(rf"({'|'.join(map(re.escape, schemes))})://\S+$", text):
            msg = f"An address here starts with {' or '.join(s + '://' for s in schemes)} and has no spaces."
            raise ValueError(msg)
        return value

    return BeforeValidator(check)


def _compute(value: Any) -> Any:
    if not re.fullmatch(r"local|dask://[^\s:/]+:\d{1,5}", str(value)):
        msg = "It is neither local nor dask://HOST:PORT."
        raise ValueError(msg)
    return value


def _symbol(value: Any) -> Any:
    return require_symbol(value.strip().upper()) if isinstance(value, str) else value


def _sectors(value: Any) -> Any:
    """`technology=XLK,energy=XLE`, by the sectors' names."""
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in _names(_none_word(value) or "")]
    known = sorted(set(SECTORS.values()))
    for name, _, _ in pairs:
        if name not in known:
            msg = f"{name!r} is no sector{nearest(name, known)} Known are {', '.join(known)}."
            raise ValueError(msg)
    return tuple((name, require_symbol(symbol.strip().upper())) for name, _, symbol in pairs)


Frac = Annotated[Decimal, Field(ge=0, le=1)]
"""A share in [0, 1]."""
FracOrNone = Annotated[Frac | None, BeforeValidator(_none_word)]
"""A share, or `none` for no such limit."""
OrNone = BeforeValidator(_none_word)
"""Beside a kind that may be none: `none` and `off` mean it."""
Multiple = Annotated[Decimal, Field(ge=0, le=10)]
MultipleOrNone = Annotated[Multiple | None, OrNone]
Atrs = Annotated[Decimal, Field(gt=0, le=100)]
"""Multiples of ATR(14)."""
AtrsOrNone = Annotated[Atrs | None, BeforeValidator(_none_word)]
Amount = Annotated[Decimal, Field(ge=0, le=AMOUNT_MAX)]
"""Money, not negative."""
PaidIn = Annotated[Decimal, Field(gt=0, le=AMOUNT_MAX)]
Weight = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Speed = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
"""Bars a second per symbol; 0 is as fast as possible."""

Watchlist = Annotated[tuple[str, ...], BeforeValidator(_watchlist)]
SymbolOrNone = Annotated[str | None, BeforeValidator(_symbol), OrNone]
Sectors = Annotated[tuple[tuple[str, str], ...], BeforeValidator(_sectors)]
"""The symbol that stands for each sector."""
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
BarInterval = Annotated[Interval, BeforeValidator(_interval)]
Providers = Annotated[tuple[str, ...], BeforeValidator(_providers)]
Broker = Annotated[str, BeforeValidator(_one_of_brokers)]
Compute = Annotated[str, BeforeValidator(_compute)]
Web = Annotated[str, _address("https", "http")]
DatabaseUrl = Annotated[SecretStr, _address("postgresql+asyncpg", "postgresql")]
RedisUrl = Annotated[SecretStr, _address("redis", "rediss", "redis+cluster")]


def check_secret_key(secret: SecretStr | None) -> SecretStr | None:
    """Refuse a key that could be guessed; none is fine, one is then generated."""
    if secret is not None:
        text = secret.get_secret_value()
        if len(text) < 32 or len(set(text)) < 12:
            msg = (
                f"It has {len(text)} characters, {len(set(text))} different ones; at least 32 and 12 are asked. "
                "Make one with `openssl rand -base64 48`, or leave it out: one is generated in the data directory."
            )
            raise ValueError(msg)
    return secret
