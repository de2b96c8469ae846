"""Questions to a provider over HTTP, bounded in time and size. Asked once: whether it is asked again, `FailOver` knows."""

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache

import httpx
from pydantic import SecretStr

from evil2root.adapters.bodies import ENCODING, BadBody, body_of
from evil2root.domain.core.clock import Clock
from evil2root.domain.market.bars import AskedTooOften, BarsUnavailable, Unreadable

WORDS_MAX = 200
"""Characters of an answer that are repeated to a person."""
AT_ONCE_BYTES = 65_536
"""JSON beyond this is parsed in a thread: the event loop has trades to look after."""
DIGITS_MAX = 18
"""Longer integers are read as floats, which may be infinite; Python refuses the whole text for one of 4,300 digits."""
TEAPOT = 418
"""What some exchanges answer when they were asked too often for too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long and how large an answer may be."""

    connect_s: float = 3.0
    read_s: float = 10.0
    """For the next bytes."""
    total_s: float = 20.0
    """For the whole answer, however steadily it drips; less than a source is given for one try."""
    body_max: int = 4_000_000
    """Bytes once unpacked. Ten thousand bars are 1.5 MB, and the worst JSON of this size takes some 100 MB to parse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the provider answered."""

    status: int
    document: object
    """The JSON it sent; `BarsUnavailable` was not raised for what is none, since errors often are none."""
    is_json: bool
    words: str
    """The beginning of the body, for people."""
    headers: Mapping[str, str]
    text: str


class Wire:
    """Connections to one provider.

    Parameters
    ----------
    who
        The provider's name in messages to people.
    secrets
        Never repeated in a message.
    """

    def __init__(  # noqa: PLR0913 - who is asked, and as whom
        self,
        who: str,
        *,
        clock: Clock,
        base_url: str = "",
        headers: Mapping[str, str] | None = None,
        secrets: Sequence[SecretStr] = (),
        bounds: Bounds | None = None,
    ) -> None:
        self.who, self._clock = who, clock
        self._secrets = tuple(secrets)
        self.bounds = bounds or Bounds()
        self._client = httpx.AsyncClient(
            base_url=base_url.rstrip("/"), follow_redirects=False, verify=_trusted(),
            headers={"User-Agent": "evil2root", "Accept-Encoding": ENCODING, **(headers or {})},
            timeout=httpx.Timeout(self.bounds.read_s, connect=self.bounds.connect_s),
        )  # fmt: skip

    async def ask(
        self, url: str, params: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Ask once. Raises `AskedTooOften` when the provider says so, `BarsUnavailable` when no answer came.

        A provider that says it is away and for how long (503 with Retry-After) wants to be left alone, too.
        """
        try:
            async with (
                asyncio.timeout(self.bounds.total_s),
                self._client.stream("GET", url, params=params, headers=headers) as response,
            ):
                body = await body_of(response, most=self.bounds.body_max)
        except TimeoutError as late:
            msg = f"{self.who} gave no whole answer within {self.bounds.total_s:g} s"
            raise BarsUnavailable(msg) from late
        except BadBody as problem:
            msg = f"{self.who}'s answer can't be read: {self.words(str(problem))}"
            raise Unreadable(msg) from problem
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            msg = f"{self.who} gave no answer: {type(problem).__name__}: {self.words(str(problem))}"
            raise BarsUnavailable(msg) from problem
        text, document, is_json = await self._read(body)
        reply = Reply(status=response.status_code, document=document, is_json=is_json, text=text,
                      words=self.words(text), headers=dict(response.headers))  # fmt: skip
        wait_s = retry_after(reply.headers, now=self._clock.now())
        is_away = response.status_code == httpx.codes.SERVICE_UNAVAILABLE and wait_s is not None
        if is_away or response.status_code in (httpx.codes.TOO_MANY_REQUESTS, TEAPOT):
            raise AskedTooOften(str(self.refused(reply)), retry_after_s=wait_s)
        return reply

    async def document(self, url: str, params: Mapping[str, str] | None = None) -> object:
        """Ask once for JSON. Raises as `ask` does, and `BarsUnavailable` for every other answer."""
        return self.good(await self.ask(url, params))

    def good(self, reply: Reply) -> object:
        """Return the JSON of a good answer. Raises `Unreadable` for one that is none, `BarsUnavailable` for an error."""
        if reply.status != httpx.codes.OK:
            raise self.refused(reply)
        if not reply.is_json:
            msg = f"{self.who} answered what is no JSON: {reply.words or 'nothing'}"
            raise Unreadable(msg)
        return reply.document

    def refused(self, reply: Reply) -> BarsUnavailable:
        """Say that it was refused, in the provider's own words."""
        return BarsUnavailable(f"{self.who} answered with status {reply.status}: {reply.words or 'nothing'}")

    def words(self, text: str) -> str:
        """Shorten what is shown to people; an answer that repeats our keys must not bring them into a log."""
        text = text[: 4 * WORDS_MAX]
        for secret in self._secrets:
            if secret.get_secret_value():
                text = text.replace(secret.get_secret_value(), "***")
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:WORDS_MAX]

    async def close(self) -> None:
        """Give up connections."""
        await self._client.aclose()

    async def _read(self, body: bytes) -> tuple[str, object, bool]:
        if len(body) > AT_ONCE_BYTES:
            return await asyncio.to_thread(_parsed, body)
        return _parsed(body)


def retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Read `Retry-After` in both its forms, else `X-RateLimit-Reset`, a moment in Unix seconds."""
    said = headers.get("retry-after", "").strip()
    if said:
        if (seconds := _small(said)) is not None:
            return seconds
        until = http_date(said)
        return None if until is None else max((until - now).total_seconds(), 0.0)
    reset = _small(headers.get("x-ratelimit-reset", ""))
    return None if reset is None else max(reset - now.timestamp(), 0.0)


def http_date(said: str) -> datetime | None:
    """Read a moment as HTTP writes it; none for anything else."""
    try:
        found = parsedate_to_datetime(said)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@cache
def _trusted() -> ssl.SSLContext:
    """Read the certificates that are trusted, once: that takes as long as a hundred questions."""
    return httpx.create_ssl_context()


def _parsed(body: bytes) -> tuple[str, object, bool]:
    """Decode and parse; what calls itself a number and is none (NaN, Infinity) stays one bad value, not a bad answer."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return body[: 4 * WORDS_MAX].decode("utf-8", errors="replace"), None, False
    try:
        return text, json.loads(text, parse_int=_integer), True
    except (ValueError, RecursionError):
        return text, None, False


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= DIGITS_MAX else float(text)


def _small(text: str) -> float | None:
    return float(text) if text.isdecimal() and text.isascii() and len(text) < 12 else None
