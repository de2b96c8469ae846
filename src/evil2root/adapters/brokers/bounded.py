"""Requests to a venue, bounded in time and size: questions may be asked again, what changes something is sent once."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import httpx
from pydantic import SecretStr

from evil2root.adapters.bodies import ENCODING, body_of
from evil2root.domain.execution.broker import BrokerUnavailable

CONNECT_S, READ_S, CALL_S = 3.0, 10.0, 25.0
"""Longest wait for a connection, for the next bytes, and for a whole call with its repetitions."""
TRIES = 5
"""Of a question: a fault of a second and a half is bridged. What changes something at the venue is sent once."""
RETRY_S = 0.1
"""Wait before the second try of a question, doubled before each further one: the start waits for the first of them."""
TOO_MUCH_S, RETRY_AFTER_MOST_S = 0.5, 5.0
"""Wait when a venue that is asked too often does not say for how long, and the most that one is given that does."""
BODY_MAX = 8_000_000
WORDS_MAX = 300
"""Characters of an error that are repeated to a person."""
TEAPOT = 418
"""What some venues answer when they were asked too often for too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the venue answered."""

    status: int
    document: object
    """The JSON it sent, numbers as `Decimal`; none when it sent no JSON."""
    words: str
    """The beginning of the body, for people."""
    retry_after_s: float | None = None
    """How long the venue asks to be left alone."""

    @property
    def code(self) -> str:
        """The venue's own code of an error; empty when there is none."""
        code = self.document.get("code") if isinstance(self.document, dict) else None
        return str(code) if isinstance(code, Decimal | str) else ""

    @property
    def is_too_much(self) -> bool:
        """Does the venue want to be asked less?"""
        return self.status in (httpx.codes.TOO_MANY_REQUESTS, TEAPOT)

    @property
    def is_broken(self) -> bool:
        """Is it the failure of a server, or an answer that was cut off on its way?"""
        is_cut = self.status == httpx.codes.OK and self.document is None
        return is_cut or self.status >= httpx.codes.INTERNAL_SERVER_ERROR


Once = Callable[[], Awaitable[Reply]]


class BoundedHttp:
    """Connections to one venue."""

    def __init__(
        self, venue: str, *, secrets: Sequence[SecretStr], base_url: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        self._venue = venue
        self._secrets = tuple(secrets)
        self._client = httpx.AsyncClient(
            base_url=base_url.rstrip("/"), headers={"User-Agent": "evil2root", "Accept-Encoding": ENCODING, **(headers or {})},
            timeout=httpx.Timeout(READ_S, connect=CONNECT_S), follow_redirects=False,
            # An address without TLS needs none of the certificates that take 50 ms to read; redirects are not followed.
            verify=not base_url.startswith("http://"),
        )  # fmt: skip

    async def question(self, what: str, once: Once) -> Reply:
        """Ask; a failed question is asked again a few times. Raises `BrokerUnavailable`."""
        problem = ""
        try:
            async with asyncio.timeout(CALL_S):
                for attempt in range(TRIES):
                    try:
                        reply = await once()
                    except BrokerUnavailable as failed:
                        problem, wait = str(failed), RETRY_S * 2**attempt
                    else:
                        if not (reply.is_too_much or reply.is_broken):
                            return reply
                        problem, wait = said(reply), RETRY_S * 2**attempt
                        if reply.is_too_much:
                            wait = TOO_MUCH_S
                        if reply.retry_after_s is not None:
                            wait = min(reply.retry_after_s, RETRY_AFTER_MOST_S)
                    if attempt + 1 < TRIES:
                        await asyncio.sleep(wait)
        except TimeoutError:
            problem = problem or f"no answer within {CALL_S:.0f} s"
        msg = f"{self._venue} gave no answer to {what}: {problem}"
        raise BrokerUnavailable(msg)

    async def command(self, what: str, once: Once) -> Reply:
        """Send something that changes the account, once. Raises `BrokerUnavailable` when no answer came."""
        try:
            async with asyncio.timeout(CALL_S):
                return await once()
        except TimeoutError as late:
            msg = f"{self._venue} did not answer {what} within {CALL_S:.0f} s"
            raise BrokerUnavailable(msg) from late

    async def once(self, method: str, url: str, **parts: Any) -> Reply:
        """Send one request and read its answer, as far as it is not too long."""
        try:
            async with self._client.stream(method, url, **parts) as response:
                text = (await body_of(response, most=BODY_MAX)).decode("utf-8", errors="replace")
                return Reply(
                    status=response.status_code, document=parsed(text), words=self.words(text),
                    retry_after_s=_retry_after(response.headers.get("Retry-After", "")),
                )  # fmt: skip
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as problem:
            msg = f"{type(problem).__name__}: {self.words(str(problem))}"
            raise BrokerUnavailable(msg) from problem

    def refused(self, reply: Reply, *, what: str) -> BrokerUnavailable:
        """Say that an answer proves nothing, in the venue's own words."""
        return BrokerUnavailable(f"{self._venue} did not confirm {what}: {said(reply)}")

    def words(self, text: str) -> str:
        """Shorten what is shown to people; an answer that repeats our keys must not bring them into a log."""
        text = text[: 4 * WORDS_MAX]
        for secret in self._secrets:
            if secret.get_secret_value():
                text = text.replace(secret.get_secret_value(), "***")
        return _short(text)

    async def close(self) -> None:
        """Give up connections."""
        await self._client.aclose()


def parsed(text: str) -> object:
    """Read JSON with exact numbers; none for what is no JSON, or is nested without end.

    What calls itself a number and is none (NaN, 1e9999999999999999999) stays the text that it is: one of them spoils
    its own record and not the whole page.
    """
    try:
        return json.loads(text, parse_float=_number, parse_int=_number, parse_constant=str)
    except (ValueError, RecursionError):
        return None


def said(reply: Reply) -> str:
    """Repeat an answer to a person."""
    return f"status {reply.status}, {reply.words or 'no body'}"


def _number(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def _short(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text[: 2 * WORDS_MAX])
    return " ".join(printable.split())[:WORDS_MAX]


def _retry_after(value: str) -> float | None:
    return float(value) if value.isdecimal() and value.isascii() and len(value) < 9 else None
