"""Binance's adapter, with a server that speaks its protocol behind it, holds to the port."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from pydantic import SecretStr

from evil2root.adapters.brokers import binance_trades, binance_wire, bounded
from evil2root.adapters.brokers.binance import BinanceBroker
from evil2root.adapters.brokers.binance_names import our_name, their_name
from evil2root.domain.book.orders import Order
from evil2root.domain.execution.remote import RemoteBroker
from tests.contract.remote_broker import RemoteBrokerContract, Rig
from tests.servers import binance
from tests.servers.binance import KEY, SECRET, BinanceServer
from tests.servers.binance_book import BinanceBook, Pair, Row, present
from tests.servers.serving import served

LATE_S = 0.2
SYMBOLS = ("BTC-USDT", "ETH-USDT")
FINE = Decimal("0.0001")
"""Ticks and least values small enough for every price of the suite."""


class BinanceRig:
    """A hand on the server."""

    def __init__(self, broker: RemoteBroker, server: BinanceServer) -> None:
        self.broker = broker
        self.server = server

    def plan(self, fault: str) -> None:
        self.server.planned.append(fault)

    def away(self) -> None:
        self.server.planned.extend(["cut"] * bounded.TRIES)

    async def appears(self) -> None:
        await asyncio.sleep(LATE_S + 0.05)

    def price(self, symbol: str, price: Decimal) -> None:
        self.server.book.prices[symbol.replace("-", "")] = price

    def part(self, quantity: Decimal | None) -> None:
        self.server.book.part = quantity

    def execute(self, order: Order, quantity: Decimal) -> None:
        self.server.book.execute(self._row(order), quantity)

    def reject(self, order: Order) -> None:
        self._row(order).status = "REJECTED"

    def foreign(self, symbol: str) -> None:
        asked = {"symbol": symbol.replace("-", ""), "quantity": "2", "side": "BUY"}
        self.server.book.place({**asked, "type": "LIMIT", "price": "50", "newClientOrderId": "web_1"})
        self.server.book.place({**asked, "type": "MARKET", "newClientOrderId": "web_2"})

    def garble(self) -> None:
        self.server.hostile_trades.append(
            {**self.server.book.done[0].shown(), "commissionAsset": "x\x00", "qty": "NaN"}
        )

    def repeat(self) -> None:
        self.server.repeat_trades = True

    def stir(self) -> None:
        self.server.tell()

    def cut_stream(self) -> None:
        self.server.cut_streams()

    def placed(self) -> list[str]:
        named = [our_name(r.name) for r in self.server.book.orders.values()]
        return [found[0] for found in named if found is not None and not found[1]]

    def executed(self) -> list[str]:
        return [f"{t.symbol}:{t.id}" for t in self.server.book.done]

    def books(self) -> tuple[Decimal, dict[str, Decimal]]:
        held = self.server.book.balances
        return held["USDT"], {f"{a}-USDT": q for a, q in held.items() if q and a != "USDT"}

    def since(self) -> datetime:
        return present() - timedelta(minutes=5)

    def _row(self, order: Order) -> Row:
        name = their_name(order.client_order_id)
        named = [r for r in self.server.book.orders.values() if r.name.startswith(name)]
        return named[-1]


class TestBinanceBroker(RemoteBrokerContract):
    symbol, other = SYMBOLS

    @pytest.fixture
    async def rig(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
        monkeypatch.setattr(binance, "LATE_S", LATE_S)
        monkeypatch.setattr(binance_trades, "PAGE", 3)
        monkeypatch.setattr(binance_wire, "PACED", False)
        pairs = [Pair(asset, "USDT", tick=FINE, notional=FINE) for asset in ("BTC", "ETH")]
        server = BinanceServer(BinanceBook(pairs={pair.symbol: pair for pair in pairs}))
        async with served(server) as address:
            broker = BinanceBroker(address, SecretStr(KEY), SecretStr(SECRET), account="real", symbols=SYMBOLS)
            yield BinanceRig(broker, server)
            await broker.close()
