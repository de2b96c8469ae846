"""Yahoo's stream of prices on loopback: subscriptions, and whatever a test tells.

Facts: see `adapters/market_data/yahoo_stream.py`.
"""

import asyncio
import base64
import json
from typing import Any

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from yfinance.pricing_pb2 import PricingData

END = "end"


def priced(symbol: str, price: float, *, at_ms: int) -> str:
    """A message that tells a price."""
    told: Any = PricingData()
    told.id, told.price, told.time, told.currency = symbol, price, at_ms, "USD"
    return wrapped(told.SerializeToString())


def wrapped(packed: bytes) -> str:
    return json.dumps({"type": "pricing", "message": base64.b64encode(packed).decode()})


class YahooStreamServer:
    """The application; `say` says something to everybody who is subscribed."""

    def __init__(self) -> None:
        self.listeners: set[asyncio.Queue[str]] = set()
        self.asked: list[dict[str, Any]] = []
        self.subscribed = asyncio.Event()
        self.app = Starlette(routes=[WebSocketRoute("/", self.stream)])

    def say(self, text: str) -> None:
        for listener in self.listeners:
            listener.put_nowait(text)

    async def stream(self, socket: WebSocket) -> None:
        await socket.accept()
        news: asyncio.Queue[str] = asyncio.Queue()
        reading = asyncio.create_task(self._read(socket, news))
        try:
            while (told := await news.get()) != END:
                await socket.send_text(told)
            await socket.close()
        except WebSocketDisconnect:
            pass
        finally:
            reading.cancel()
            self.listeners.discard(news)
            self.subscribed.clear()

    async def _read(self, socket: WebSocket, news: asyncio.Queue[str]) -> None:
        try:
            while True:
                self.asked.append(json.loads(await socket.receive_text()))
                self.listeners.add(news)
                self.subscribed.set()
        except WebSocketDisconnect:
            news.put_nowait(END)
