"""A small Binance with two markets, and a broker for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from evil2root.adapters.brokers.binance import BinanceBroker
from evil2root.domain.book.orders import Order
from evil2root.domain.core.side import Side
from tests.contract import remote_broker
from tests.servers.binance import KEY, SECRET, BinanceServer
from tests.servers.binance_book import BinanceBook, Pair
from tests.servers.serving import served

SYMBOLS = ("BTC-USDT", "ETH-USDT")


def a_server(**book: Any) -> BinanceServer:
    pairs = [Pair("BTC", "USDT"), Pair("ETH", "USDT")]
    return BinanceServer(BinanceBook(pairs={pair.symbol: pair for pair in pairs}, **book))


@asynccontextmanager
async def connected(server: BinanceServer, key: str = KEY, secret: str = SECRET) -> AsyncIterator[BinanceBroker]:
    """Serve, and connect an account called `real`."""
    async with served(server) as address:
        broker = BinanceBroker(address, SecretStr(key), SecretStr(secret), account="real", symbols=SYMBOLS)
        yield broker
        await broker.close()


def sent(side: Side = Side.BUY, quantity: int = 10, *, number: int = 1, **changes: Any) -> Order:
    return remote_broker.sent(side, quantity, number=number, **{"symbol": "BTC-USDT", **changes})


def a_sent_stop(number: int, price: str = "90", quantity: int = 10) -> Order:
    made = remote_broker.a_sent_stop(number, price, quantity)
    return replace(made, symbol="BTC-USDT", client_order_id=sent(number=number).client_order_id)
