"""Yahoo's stream of prices as they happen.

Facts, as yfinance has them, for Yahoo documents nothing: messages are JSON whose `message` is a `PricingData` of
Protocol Buffers in Base64, `id` the symbol, `time` in milliseconds; `{"subscribe": [...]}` is to be repeated every 15 s,
or it falls silent. Of yfinance only the description of `PricingData` is used: its own client prints, hides what goes
wrong, and connects anew by itself without end.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from evil2root.domain.market.bars import BarsUnavailable
from evil2root.domain.market.streams import Happening, Tick

REAL = "https://query2.finance.yahoo.com"
STREAM = "wss://streamer.finance.yahoo.com"
"""Where the stream is while the prices are asked for at `REAL`; elsewhere it is at the same host."""
OPEN_S, SUBSCRIBE_EVERY_S = 10.0, 15.0
MESSAGE_MAX = 100_000
"""Bytes of one message; a price takes some hundred."""
WAITING_MAX = 64
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class YahooStream:
    """A `QuoteStream`. `base_url` is the address of the prices, as for `YahooWire`."""

    name = "yfinance"

    def __init__(self, base_url: str = REAL) -> None:
        # An extra brings it; a package that is not installed is missed at the start.
        from yfinance.pricing_pb2 import PricingData  # noqa: PLC0415

        self._message = PricingData
        root = base_url.rstrip("/")
        self._url = f"{STREAM if root == REAL else root.replace('http', 'ws', 1)}/?version=2"

    async def ticks(self, symbols: Sequence[str]) -> AsyncIterator[Tick]:
        """Subscribe, and yield what is told of these symbols until the stream ends."""
        ours, wanted = frozenset(symbols), json.dumps({"subscribe": sorted(symbols)})
        clock = asyncio.get_running_loop()
        try:
            async with connect(
                self._url, open_timeout=OPEN_S, max_size=MESSAGE_MAX, max_queue=WAITING_MAX, proxy=None
            ) as stream:
                due = clock.time()
                while True:
                    if clock.time() >= due:
                        await stream.send(wanted)
                        due = clock.time() + SUBSCRIBE_EVERY_S
                    try:
                        async with asyncio.timeout_at(due):
                            message = await stream.recv()
                    except TimeoutError:
                        continue
                    tick = tick_of(message, ours, empty=self._message())
                    if tick is not None:
                        yield tick
        except (WebSocketException, OSError, TimeoutError) as problem:
            msg = f"Yahoo's stream is gone: {type(problem).__name__}"
            raise BarsUnavailable(msg) from problem


def tick_of(message: str | bytes, ours: frozenset[str], *, empty: Any) -> Tick | None:
    """Read a price into an `empty` PricingData; none for what is not ours, or can't be read."""
    told = empty
    try:
        document = json.loads(message)
        packed = document.get("message") if isinstance(document, dict) else None
        told.ParseFromString(base64.b64decode(packed if isinstance(packed, str) else "", validate=True))
        at = EPOCH + timedelta(milliseconds=told.time)
        price = float(told.price)
    except Exception:  # noqa: BLE001 - what the decoder raises is its library's own, which no lock names; rubbish is skipped
        return None
    if told.id not in ours or not 0 < price < float("inf") or told.time <= 0:
        return None
    return Tick(symbol=told.id, what=Happening.TRADE, at=at, price=price)
