"""Alpaca's stream of prices on loopback: greeting, sign-in, subscription, and whatever a test tells.

Facts from its reference: see `adapters/market_data/alpaca_stream.py`.
"""

import asyncio
import json
from typing import Any

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.servers.alpaca_data import KEY, SECRET

END = "end"


class AlpacaStreamServer:
    """The application; `tell` says something to everybody who is subscribed."""

    def __init__(self) -> None:
        self.listeners: set[asyncio.Queue[str]] = set()
        self.asked: list[dict[str, Any]] = []
        self.connections_most = 1
        self.subscribed = asyncio.Event()
        self.app = Starlette(routes=[WebSocketRoute("/v2/iex", self.stream)])

    def tell(self, *what: Any) -> None:
        self.say(json.dumps(list(what)))

    def say(self, text: str) -> None:
        for listener in self.listeners:
            listener.put_nowait(text)

    async def stream(self, socket: WebSocket) -> None:
        await socket.accept()
        news: asyncio.Queue[str] = asyncio.Queue()
        try:
            await socket.send_text('[{"T": "success", "msg": "connected"}]')
            said = json.loads(await socket.receive_text())
            if (said.get("key"), said.get("secret")) != (KEY, SECRET):
                await socket.send_text('[{"T": "error", "code": 402, "msg": "auth failed"}]')
                return
            if len(self.listeners) >= self.connections_most:
                await socket.send_text('[{"T": "error", "code": 406, "msg": "connection limit exceeded"}]')
                return
            await socket.send_text('[{"T": "success", "msg": "authenticated"}]')
            self.asked.append(json.loads(await socket.receive_text()))
            await socket.send_text(json.dumps([{"T": "subscription", **self.asked[-1]}]))
            self.listeners.add(news)
            self.subscribed.set()
            while (told := await news.get()) != END:
                await socket.send_text(told)
            await socket.close()
        except WebSocketDisconnect:
            pass
        finally:
            self.listeners.discard(news)
            self.subscribed.clear()
