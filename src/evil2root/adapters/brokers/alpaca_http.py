"""Requests to Alpaca: bounded in time and size, and never repeated when they could place an order.

Facts from Alpaca's reference of the Trading API: keys go in the headers `APCA-API-KEY-ID` and `APCA-API-SECRET-KEY`,
errors are JSON with `code` and `message`, 200 requests a minute are allowed, more are answered with 429.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import httpx
from pydantic import SecretStr

from evil2root.domain.execution.broker import BrokerUnavailable

CONNECT_S, READ_S, CALL_S = 3.0, 10.0, 25.0
"""Longest wait for a connection, for the next bytes, and for a whole call with its repetitions."""
TRIES = 3
"""Of a question. What changes something at the venue is sent once."""
RETRY_AFTER_MOST_S = 5.0
BODY_MAX = 8_000_000
WORDS_MAX = 300
"""Characters of an error that are repeated to a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the venue answered."""

    status: int
    document: object
    """The JSON it sent, numbers as `Decimal`; none when it sent no JSON."""
    words: str
    """The beginning of the body, for people."""

    @property
    def code(self) -> str:
        """The venue's own code of an error; empty when there is none."""
        code = self.document.get("code") if isinstance(self.document, dict) else None
        return str(code) if isinstance(code, Decimal | str) else ""


class AlpacaHttp:
    """One account's connection."""

    def __init__(self, base_url: str, key: SecretStr, secret: SecretStr) -> None:
        self._secrets = (key, secret)
        self._client = httpx.AsyncClient(
            base_url=base_url.rstrip("/"),
            headers={
                "APCA-API-KEY-ID": key.get_secret_value(),
                "APCA-API-SECRET-KEY": secret.get_secret_value(),
                "User-Agent": "evil2root",
            },
            timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
            follow_redirects=False,
        )

    async def question(self, path: str, params: Mapping[str, str] | None = None) -> Reply:
        """Ask; a failed question is asked again a few times. Raises `BrokerUnavailable`."""
        problem = ""
        try:
            async with asyncio.timeout(CALL_S):
                for attempt in range(TRIES):
                    try:
                        reply, wait = await self._once("GET", path, params=params)
                    except BrokerUnavailable as failed:
                        problem, wait = str(failed), 0.2 * 2**attempt
                    else:
                        if (
                            reply.status != httpx.codes.TOO_MANY_REQUESTS
                            and reply.status < httpx.codes.INTERNAL_SERVER_ERROR
                        ):
                            return reply
                        problem = _words(reply)
                    if attempt + 1 < TRIES:
                        await asyncio.sleep(wait)
        except TimeoutError:
            problem = problem or f"no answer within {CALL_S:.0f} s"
        msg = f"Alpaca gave no answer to {path}: {problem}"
        raise BrokerUnavailable(msg)

    async def command(self, method: str, path: str, body: Mapping[str, str] | None = None) -> Reply:
        """Send something that changes the account, once. Raises `BrokerUnavailable` when no answer came."""
        try:
            async with asyncio.timeout(CALL_S):
                return (await self._once(method, path, body=body))[0]
        except TimeoutError as late:
            msg = f"Alpaca did not answer {method} {path} within {CALL_S:.0f} s"
            raise BrokerUnavailable(msg) from late

    async def close(self) -> None:
        """Give up connections."""
        await self._client.aclose()

    async def _once(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Mapping[str, str] | None = None
    ) -> tuple[Reply, float]:
        """Give the answer, and how long the venue asks to wait before the next try."""
        try:
            async with self._client.stream(method, path, params=params, json=body) as response:
                content = bytearray()
                async for part in response.aiter_bytes():
                    content += part
                    if len(content) > BODY_MAX:
                        msg = f"Alpaca's answer to {path} is longer than {BODY_MAX} bytes"
                        raise BrokerUnavailable(msg)
                wait = _retry_after(response.headers.get("Retry-After", ""))
                text = bytes(content).decode("utf-8", errors="replace")
                return Reply(status=response.status_code, document=parsed(text), words=self._words(text)), wait
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as problem:
            msg = f"{type(problem).__name__}: {self._words(str(problem))}"
            raise BrokerUnavailable(msg) from problem

    def _words(self, text: str) -> str:
        """Shorten what is shown to people; an answer that repeats our keys must not bring them into a log."""
        text = text[: 4 * WORDS_MAX]
        for secret in self._secrets:
            text = text.replace(secret.get_secret_value(), "***")
        return _short(text)


def refused(reply: Reply, *, what: str) -> BrokerUnavailable:
    """Say that an answer proves nothing, in the venue's own words."""
    return BrokerUnavailable(f"Alpaca did not confirm {what}: {_words(reply)}")


def parsed(text: str) -> object:
    """Read JSON with exact numbers; none for what is no JSON, or is nested without end.

    What calls itself a number and is none (NaN, 1e9999999999999999999) stays the text that it is: one of them spoils
    its own record and not the whole page.
    """
    try:
        return json.loads(text, parse_float=_number, parse_int=_number, parse_constant=str)
    except (ValueError, RecursionError):
        return None


def _number(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def _words(reply: Reply) -> str:
    return f"status {reply.status}, {reply.words or 'no body'}"


def _short(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text[: 2 * WORDS_MAX])
    return " ".join(printable.split())[:WORDS_MAX]


def _retry_after(value: str) -> float:
    return min(float(value), RETRY_AFTER_MOST_S) if value.isdecimal() and value.isascii() else 0.5
