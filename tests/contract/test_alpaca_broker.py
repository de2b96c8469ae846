"""Alpaca's adapter, with a server that speaks its protocol behind it, holds to the port."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from pydantic import SecretStr

from evil2root.adapters.brokers import alpaca as adapter
from evil2root.adapters.brokers import bounded
from evil2root.adapters.brokers.alpaca import AlpacaBroker
from evil2root.adapters.system_clock import SystemClock
from evil2root.domain.book.orders import Order
from evil2root.domain.execution.remote import RemoteBroker
from tests.contract.remote_broker import RemoteBrokerContract, Rig
from tests.servers import alpaca
from tests.servers.alpaca import KEY, SECRET, AlpacaServer
from tests.servers.alpaca_book import Row, present
from tests.servers.serving import served

LATE_S = 0.2


class AlpacaRig:
    """A hand on the server."""

    def __init__(self, broker: RemoteBroker, server: AlpacaServer) -> None:
        self.broker = broker
        self.server = server

    def plan(self, fault: str) -> None:
        self.server.planned.append(fault)

    def away(self) -> None:
        self.server.planned.extend(["cut"] * bounded.TRIES)

    async def appears(self) -> None:
        await asyncio.sleep(LATE_S + 0.05)

    def price(self, symbol: str, price: Decimal) -> None:
        self.server.book.prices[symbol] = price

    def part(self, quantity: Decimal | None) -> None:
        self.server.book.part = quantity

    def execute(self, order: Order, quantity: Decimal) -> None:
        self.server.book.execute(self._row(order), quantity)

    def reject(self, order: Order) -> None:
        self._row(order).status = "rejected"

    def foreign(self, symbol: str) -> None:
        asked = {"symbol": symbol, "qty": "2", "side": "buy", "time_in_force": "gtc"}
        self.server.book.place({**asked, "type": "limit"})
        self.server.book.place({**asked, "type": "market"})

    def garble(self) -> None:
        self.server.hostile_activities.append({**self.server.book.done[0].shown(), "id": "x\x00", "qty": "NaN"})

    def repeat(self) -> None:
        self.server.repeat_activities = True

    def stir(self) -> None:
        self.server.tell()

    def cut_stream(self) -> None:
        self.server.cut_streams()

    def placed(self) -> list[str]:
        return [r.client_order_id for r in self.server.book.orders.values() if r.replaces is None]

    def executed(self) -> list[str]:
        return [d.id for d in self.server.book.done]

    def books(self) -> tuple[Decimal, dict[str, Decimal]]:
        return self.server.book.cash, self.server.book.positions

    def since(self) -> datetime:
        return present() - timedelta(minutes=5)

    def _row(self, order: Order) -> Row:
        named = [r for r in self.server.book.orders.values() if r.client_order_id.startswith(order.client_order_id)]
        return named[-1]


class TestAlpacaBroker(RemoteBrokerContract):
    @pytest.fixture
    async def rig(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
        monkeypatch.setattr(alpaca, "LATE_S", LATE_S)
        monkeypatch.setattr(adapter, "PAGE", 3)
        server = AlpacaServer()
        async with served(server) as address:
            broker = AlpacaBroker(address, SecretStr(KEY), SecretStr(SECRET), account="real", clock=SystemClock())
            yield AlpacaRig(broker, server)
            await broker.close()
