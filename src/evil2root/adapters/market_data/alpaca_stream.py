"""Alpaca's stream of US shares: minute bars, quotes and trades as they happen.

Facts from its reference: `wss://stream.data.alpaca.markets/v2/FEED`; every message is a list of objects with the type in
`T`. It greets with `success`/`connected`, wants `{"action": "auth"}` within 10 s, then `{"action": "subscribe"}`, and
confirms each. Errors are `T` = `error` with a code: 402 keys not taken, 405 too many symbols, 406 one connection is
allowed and there is one, 407 this client is too slow, 409 not in this subscription. `b`, `q` and `t` are bars of a
minute, quotes and trades. A connection is ended by either side at any time.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime

from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from evil2root.adapters.market_data.reading import moment_of, number_of
from evil2root.domain.core.instrument import AssetClass, instrument_for
from evil2root.domain.market.bars import AskedTooOften, BarsUnavailable, NotCovered
from evil2root.domain.market.streams import Happening, Tick

OPEN_S = 10.0
"""For connection and sign-in together; Alpaca itself ends one that takes longer."""
MESSAGE_MAX = 1_000_000
"""Bytes of one message."""
WAITING_MAX = 64
"""Messages read and not yet looked at; more stay with Alpaca, which then calls this client too slow (407)."""
OTHER_CONNECTION, TOO_SLOW, NOT_SUBSCRIBED = 406, 407, 409
HOSTS = {"https://data.alpaca.markets": "wss://stream.data.alpaca.markets"}
"""Where the stream is, by the address of the prices; elsewhere it is at the same host."""


class AlpacaStream:
    """A `QuoteStream`. `data_url` is the address of the prices, as for `AlpacaSource`."""

    name = "alpaca"

    def __init__(self, data_url: str, key: SecretStr, secret: SecretStr, *, feed: str = "iex") -> None:
        root = data_url.rstrip("/")
        self._url = f"{HOSTS.get(root, root.replace('http', 'ws', 1))}/v2/{feed}"
        self._key, self._secret = key, secret

    async def ticks(self, symbols: Sequence[str]) -> AsyncIterator[Tick]:
        """Sign in, subscribe, and yield what is told of these symbols until the stream ends.

        What is no US share is left out. Raises `NotCovered` when nothing is left.
        """
        ours = {symbol.replace("-", "."): symbol for symbol in symbols if _is_told(symbol)}
        if not ours:
            msg = "Alpaca's stream tells of US shares only"
            raise NotCovered(msg)
        try:
            async with connect(
                self._url, open_timeout=OPEN_S, max_size=MESSAGE_MAX, max_queue=WAITING_MAX, proxy=None
            ) as stream:
                async with asyncio.timeout(OPEN_S):
                    await self._enter(stream, sorted(ours))
                async for message in stream:
                    for told in _told(message):
                        tick = _tick(told, ours)
                        if tick is not None:
                            yield tick
        except (WebSocketException, OSError, TimeoutError) as problem:
            msg = f"Alpaca's stream is gone: {type(problem).__name__}"
            raise BarsUnavailable(msg) from problem
        msg = "Alpaca's stream ended"
        raise BarsUnavailable(msg)

    async def _enter(self, stream: ClientConnection, names: list[str]) -> None:
        await _awaited(stream, "success", "connected")
        keys = {"key": self._key.get_secret_value(), "secret": self._secret.get_secret_value()}
        await stream.send(json.dumps({"action": "auth", **keys}))
        await _awaited(stream, "success", "authenticated")
        await stream.send(json.dumps({"action": "subscribe", "bars": names, "quotes": names, "trades": names}))
        await _awaited(stream, "subscription")


def _is_told(symbol: str) -> bool:
    instrument = instrument_for(symbol)
    return instrument.asset_class is AssetClass.EQUITY and instrument.session.name == "XNYS" and symbol[0] != "^"


async def _awaited(stream: ClientConnection, kind: str, words: str | None = None) -> None:
    """Read until it says so; anything else it may say before is no harm."""
    while True:
        for told in _told(await stream.recv()):
            if told.get("T") == kind and words in (None, told.get("msg")):
                return


def _told(message: str | bytes) -> list[Mapping[str, object]]:
    """Take a message apart. Raises what an error in it means; what is no message is none."""
    try:
        document = json.loads(message)
    except (ValueError, RecursionError):
        return []
    told: list[Mapping[str, object]] = (
        [one for one in document if isinstance(one, dict)] if isinstance(document, list) else []
    )
    for one in told:
        if one.get("T") == "error":
            code, says = one.get("code"), str(one.get("msg"))[:100]
            msg = f"Alpaca's stream says {says!r} ({str(code)[:10]})"
            if code in (OTHER_CONNECTION, TOO_SLOW):
                raise AskedTooOften(msg)
            raise NotCovered(msg) if code == NOT_SUBSCRIBED else BarsUnavailable(msg)
    return told


def _tick(told: Mapping[str, object], ours: Mapping[str, str]) -> Tick | None:
    """Read what happened; none for what is not ours, or can't be."""
    symbol, at = ours.get(str(told.get("S"))), moment_of(told.get("t"))
    price: float | None
    match told.get("T"):
        case "b":
            what, price = Happening.BAR, number_of(told.get("c"))
        case "t":
            what, price = Happening.TRADE, number_of(told.get("p"))
        case "q":
            bid, ask = number_of(told.get("bp")), number_of(told.get("ap"))
            what, price = Happening.QUOTE, None if bid is None or ask is None or not 0 < bid <= ask else (bid + ask) / 2
        case _:
            return None
    return None if symbol is None else _made(symbol, what, at, price)


def _made(symbol: str, what: Happening, at: datetime | None, price: float | None) -> Tick | None:
    if at is None or price is None or not 0 < price < float("inf"):
        return None
    return Tick(symbol=symbol, what=what, at=at, price=price)
