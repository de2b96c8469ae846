"""Requests to Binance: ccxt knows its addresses, signs and keeps the pace; what is sent and read is bounded here.

What ccxt makes of an answer is not used: its numbers are floats, and its errors mix codes that must be told apart (an
order that does not exist, -2013, and a cancel that was refused, -2011, are both `OrderNotFound`).

Facts from Binance's "REST API": requests are stamped and refused when they come late (-1021), 6,000 units of weight a
minute are allowed, whoever goes on after 429 is banned and answered with 418, both say for how long (`Retry-After`).
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from pydantic import SecretStr

from evil2root.adapters.brokers.binance_records import EPOCH
from evil2root.adapters.brokers.bounded import BoundedHttp, Reply
from evil2root.domain.execution.broker import BrokerUnavailable

PACED = True
"""Keep to the weights that ccxt knows; only tests against a server of their own do not."""
LOOK_AGAIN_S = 0.01
"""How often a request that waits for its turn looks whether it has come; ccxt does so a thousand times a second."""
WINDOW_MS = 5_000
"""A request that comes later than this after it was signed is refused."""
QUIET_MOST_S = 3 * 86_400.0
"""Longest ban that Binance speaks of."""
OUT_OF_TIME = "-1021"


class BinanceWire:
    """One account's connection."""

    def __init__(self, base_url: str, key: SecretStr, secret: SecretStr) -> None:
        self._http = BoundedHttp("Binance", secrets=(key, secret))
        self._exchange = _exchange(base_url, key, secret)
        self._exchange.fetch = self._send
        self._in_time = False
        self._quiet_until = float("-inf")

    async def question(self, name: str, params: Mapping[str, str]) -> Reply:
        """Ask; a failed question is asked again a few times. Raises `BrokerUnavailable`."""
        await self._set_clock()
        reply = await self._http.question(name, lambda: self._call(name, params))
        if reply.code == OUT_OF_TIME:
            self._in_time = False
            await self._set_clock()
            reply = await self._http.question(name, lambda: self._call(name, params))
        return reply

    async def command(self, name: str, params: Mapping[str, str]) -> Reply:
        """Send something that changes the account, once. Raises `BrokerUnavailable` when no answer came."""
        await self._set_clock()
        reply = await self._http.command(name, lambda: self._call(name, params))
        if reply.code == OUT_OF_TIME:
            self._in_time = False  # looked up like any other order; the next request has the right time
        return reply

    def now(self) -> datetime:
        """Tell the venue's time, as far as it is known."""
        return EPOCH + timedelta(milliseconds=int(self._exchange.nonce()))

    def subscription(self) -> dict[str, Any]:
        """Write the request that opens the stream of the account, signed."""
        params = {"apiKey": self._exchange.apiKey, "timestamp": self._exchange.nonce()}
        payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
        made = self._exchange.hmac(payload.encode(), self._exchange.secret.encode(), sha256)
        return {"id": "1", "method": "userDataStream.subscribe.signature", "params": {**params, "signature": made}}

    def refused(self, reply: Reply, *, what: str) -> BrokerUnavailable:
        """Say that an answer proves nothing, in the venue's own words."""
        return self._http.refused(reply, what=what)

    async def close(self) -> None:
        """Give up connections."""
        await self._http.close()

    async def _call(self, name: str, params: Mapping[str, str]) -> Reply:
        reply = await getattr(self._exchange, name)(dict(params))
        assert isinstance(reply, Reply), "it comes from `_send`"
        return reply

    async def _send(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Reply:
        """Take the place of ccxt's own way to the network: one request, bounded, never repeated."""
        wait = self._quiet_until - asyncio.get_running_loop().time()
        if wait > 0:
            msg = f"Binance asked to be left alone for {wait:.0f} s more; nothing was sent"
            raise BrokerUnavailable(msg)
        reply = await self._http.once(method, url, headers=headers, content=body)
        if reply.is_too_much and reply.retry_after_s:
            self._quiet_until = asyncio.get_running_loop().time() + min(reply.retry_after_s, QUIET_MOST_S)
        return reply

    async def _set_clock(self) -> None:
        """Learn how far Binance's clock is from ours; requests are stamped with its time."""
        if self._in_time:
            return
        reply = await self._http.question("time", lambda: self._call("public_get_time", {}))
        theirs = reply.document.get("serverTime") if isinstance(reply.document, dict) else None
        try:
            ahead = int(self._exchange.milliseconds()) - int(theirs)  # type: ignore[arg-type] # refused below
        except (TypeError, ValueError, OverflowError) as problem:
            raise self.refused(reply, what="its time") from problem
        self._exchange.options["timeDifference"] = ahead
        self._in_time = True


def _exchange(base_url: str, key: SecretStr, secret: SecretStr) -> Any:
    from ccxt.async_support import binance  # noqa: PLC0415 - 2 s, and an extra that other bots do not have

    exchange = binance(
        {
            "apiKey": key.get_secret_value(), "secret": secret.get_secret_value(), "enableRateLimit": PACED,
            "options": {"recvWindow": WINDOW_MS, "maxRetriesOnFailure": 0},
        }
    )  # fmt: skip
    exchange.throttler.config["delay"] = LOOK_AGAIN_S
    root = base_url.rstrip("/")
    # Nothing else of Binance can be reached, whatever is asked for.
    exchange.urls["api"] = {"public": f"{root}/api/v3", "private": f"{root}/api/v3"}
    return exchange
