"""What may come instead of an answer: from a proxy, from a provider in trouble, from somebody hostile."""

import asyncio
import gzip
import zlib
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping

from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from tests.servers.serving import Cut

BOMB_BYTES = 256 * 2**20
PLAIN = {
    "html": (502, "<html><title>502 Bad Gateway</title></html>"),
    "html_but_fine": (200, "<!DOCTYPE html><html>Please log in</html>"),
    "error": (500, '{"message": "internal server error"}'),
    "unavailable": (503, ""),
    "truncated": (200, '{"bars": {"AAPL": [{"t": "2022-01-03T05:00:00Z", "o": 17'),
    "empty": (200, ""),
    "null": (200, "null"),
    "number": (200, "7"),
    "text": (200, '"Error: You have run over your hourly request allocation."'),
    "list": (200, "[1, 2, 3]"),
    "object": (200, '{"a": 1}'),
    "deep": (200, "[" * 100_000),
    "deep_objects": (200, '{"a":' * 50_000),
    "mark": (200, "\ufeff{}"),
    "unlucky": (404, "<html>not found</html>"),
    "moved": (302, ""),
    "forbidden": (403, '{"message": "forbidden."}'),
    "no_content": (204, ""),
    "long_number": (200, '{"bars": {"AAPL": [{"t": ' + "9" * 5_000 + "}]}}"),
}  # fmt: skip
STREAMED = ("bomb", "drip", "endless", "cut_midway", "cut_packed", "not_packed", "packed_oddly", "not_text")
KINDS = ("cut", "busy", "banned", *PLAIN, *STREAMED)


class Faults:
    """Faults for the next answers, and a count of what was sent."""

    def __init__(self) -> None:
        self.planned: deque[str] = deque()
        self.raw: deque[tuple[int, bytes, Mapping[str, str]]] = deque()
        """Whole answers in place of the next ones."""
        self.always: str | None = None
        self.retry_after = "0"
        self.sent_bytes = 0
        """Of streamed faults."""

    def next(self) -> Response | None:
        """Return what comes instead of the next answer, if anything does."""
        if self.raw:
            status, body, headers = self.raw.popleft()
            return Response(body, status_code=status, headers=dict(headers))
        kind = self.planned.popleft() if self.planned else self.always
        return None if kind in (None, "none") else self.made(str(kind))

    def made(self, kind: str) -> Response:
        if kind == "cut":
            return Cut()
        if kind in ("busy", "banned"):
            status = 429 if kind == "busy" else 418
            return JSONResponse({"message": "too many requests."}, status, {"Retry-After": self.retry_after})
        if kind in PLAIN:
            status, body = PLAIN[kind]
            return PlainTextResponse(body, status_code=status)
        headers = {"bomb": {"Content-Encoding": "gzip"}, "cut_packed": {"Content-Encoding": "gzip"},
                   "not_packed": {"Content-Encoding": "gzip"}, "packed_oddly": {"Content-Encoding": "br"},
                   "cut_midway": {"Content-Length": "1000"}}  # fmt: skip
        return StreamingResponse(self._parts(kind), headers=headers.get(kind, {}))

    async def _parts(self, kind: str) -> AsyncIterator[bytes]:
        match kind:
            case "bomb":
                for part in _bomb():
                    yield self._counted(part)
                    await asyncio.sleep(0)
            case "drip":
                yield b'{"bars": {'
                while True:
                    yield self._counted(b" ")
                    await asyncio.sleep(0.01)
            case "endless":
                yield b'{"bars": {"A": ['
                while True:
                    yield self._counted(b"[1]," * 4_000)
                    await asyncio.sleep(0)
            case "cut_midway":
                yield b'{"bars": '
                raise ConnectionResetError
            case "cut_packed":
                yield gzip.compress(b'{"bars": {}, "next_page_token": null}' * 50)[:-12]
            case "not_packed":
                yield b'{"bars": {}, "next_page_token": null}'
            case "packed_oddly":
                yield b"\x0b\x02\x80"
            case _:
                yield b'{"bars": {"A\xff\xfe": []}}'

    def _counted(self, part: bytes) -> bytes:
        self.sent_bytes += len(part)
        return part


class RemoteFaults:
    """The hand on a service that the contract of sources asks for."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def away(self) -> None:
        self._faults.always = "error"

    def refuse(self, retry_after_s: int) -> None:
        self._faults.always, self._faults.retry_after = "busy", str(retry_after_s)

    def garble(self) -> None:
        self._faults.always = "html_but_fine"

    def hang(self) -> None:
        self._faults.always = "drip"

    def well(self) -> None:
        self._faults.always = None


def _bomb() -> Iterator[bytes]:
    """A quarter of a gigabyte of blanks in as many kilobytes."""
    packer = zlib.compressobj(9, wbits=31)
    blank = b" " * 2**20
    for _ in range(BOMB_BYTES // 2**20):
        if part := packer.compress(blank):
            yield part
    yield packer.flush()
