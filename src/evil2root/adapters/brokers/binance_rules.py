"""What Binance allows in each market, asked for when it is first needed and again every hour."""

import asyncio
import json
from collections.abc import Mapping

from evil2root.adapters.brokers.binance_records import Market, market
from evil2root.adapters.brokers.binance_wire import BinanceWire
from evil2root.adapters.brokers.reading import Unreadable
from evil2root.domain.execution.broker import BrokerUnavailable

RULES_S = 3_600.0
"""How long the rules of a market are taken for true before they are asked for again."""


class BinanceRules:
    """The rules of some markets; `assets` gives base and quote by our symbol."""

    def __init__(self, wire: BinanceWire, assets: Mapping[str, tuple[str, str]]) -> None:
        self._wire = wire
        self._assets = assets
        self._known: Mapping[str, Market] = {}
        self._known_at = float("-inf")

    async def of(self, symbol: str) -> Market:
        """Return the rules of a market, as the venue publishes them."""
        if asyncio.get_running_loop().time() - self._known_at > RULES_S:
            wanted = json.dumps([base + quote for base, quote in self._assets.values()], separators=(",", ":"))
            reply = await self._wire.question("public_get_exchangeinfo", {"symbols": wanted})
            listed = reply.document.get("symbols") if isinstance(reply.document, dict) else None
            if reply.status != 200 or not isinstance(listed, list):
                raise self._wire.refused(reply, what="the rules of its markets")
            try:
                self._known = {one.market: one for one in map(market, listed)}
            except Unreadable as problem:
                msg = f"The rules of Binance's markets can't be read: {problem}"
                raise BrokerUnavailable(msg) from problem
            self._known_at = asyncio.get_running_loop().time()
        base, quote = self._assets.get(symbol, ("", ""))
        found = self._known.get(base + quote)
        if found is None or (found.base, found.quote) != (base, quote):
            msg = f"Binance has no market for {symbol}; nothing was sent"
            raise BrokerUnavailable(msg)
        return found
