"""Requests to Yahoo: yfinance knows addresses, cookies and crumbs; what goes out and comes in is bounded and read here.

yfinance has no setting for addresses, hides failures (an outage looks like a table without rows), keeps answers of past
ranges in memory for ever, bad ones too, and asks again by itself. So it is given a session of its own library whose
requests pass through `_Door`, is told to hide nothing, and forgets its answers after each question. Its cache of
cookies is switched off: it keeps them as pickles, which run whatever somebody writes into them. Without that cache it
would fetch a cookie before every question, so the door repeats the last one's answer while Yahoo accepts it.

Facts about Yahoo, which documents nothing: a symbol it does not know is a 404 with `chart.error`; a range without
trades is a 400 ("Data doesn't exist"), or a chart without times; a range older than it keeps is a 422; too many
requests are a 429, mostly without `Retry-After`; 401 and 403 mean that cookie or crumb are worn out.
"""

import asyncio
import json
import logging
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import orjson

from evil2root.adapters.market_data.wire import http_date, retry_after
from evil2root.domain.market.bars import AskedTooOften, BarsUnavailable, NotCovered, Unreadable
from evil2root.domain.market.sessions import EPOCH

Answer = TypeVar("Answer")
Question = Callable[[Any, Any], Answer]
"""Asked of yfinance, the module, with the session it is to use."""

REAL = "https://query2.finance.yahoo.com"
"""With it as the base address yfinance's own hosts are asked; any other one stands for all of them."""
AT_ONCE = 4
"""Questions under way at the same time, each in a thread of its own: Yahoo bears few."""
ANSWER_S = 10.0
"""Longest wait for one answer, its last byte included."""
BODY_MAX = 32_000_000
"""Bytes of an answer, unpacked: sixty years of daily bars are a tenth of it."""
WORDS_MAX = 200
"""Characters of an error that are repeated to a person."""
CHART = "/v8/finance/chart/"
COOKIES_AT = "fc.yahoo.com"
SIDE_DOORS = ("/v1/test/getcrumb", "/consent", "/v2/collectConsent", "/copyConsent")
"""Where cookies and crumbs come from. yfinance goes on without them, so that a failure there decides nothing."""

ABORT = 0xFFFFFFFF
"""What tells curl to give a transfer up."""


class YahooEmpty(Exception):  # noqa: N818 - an answer, told as yfinance can't
    """Yahoo knows the symbol and has nothing in this range."""


class YahooWire:
    """The one way to Yahoo in this process: yfinance keeps its state in globals.

    Parameters
    ----------
    base_url
        `REAL`, or where something speaks as Yahoo does (a gateway, a test).
    folder
        Where yfinance may keep its table of time zones; made when it is needed.
    """

    def __init__(self, base_url: str, *, folder: Path) -> None:
        self._base = "" if base_url.rstrip("/") == REAL else base_url.rstrip("/")
        self._folder = folder
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="yahoo")
        self._opening = threading.Lock()
        self._session: Any = None
        self._door = _Door(self._base)

    async def ask(self, question: Question[Answer]) -> Answer:
        """Answer `question(yfinance, session)` from a thread.

        Raises `BarsUnavailable` or one of its kinds for whatever goes wrong, `YahooEmpty` for a range without rows.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, question)

    def close(self) -> None:
        """Give up threads; a question under way ends by its own time limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _answer(self, question: Question[Answer]) -> Answer:
        library = self._opened()
        from yfinance.data import YfData  # noqa: PLC0415 - see _opened
        from yfinance.exceptions import YFPricesMissingError, YFRateLimitError  # noqa: PLC0415

        self._door.begin()
        try:
            return question(library, self._session)
        except (BarsUnavailable, YahooEmpty):
            raise
        except YFRateLimitError as busy:
            raise AskedTooOften(words(busy)) from busy
        except YFPricesMissingError as nothing:
            raise YahooEmpty(words(nothing)) from nothing
        except Exception as odd:
            if self._door.was_cut:
                msg = f"Yahoo gave no answer: {type(odd).__name__}: {words(odd)}"
                raise BarsUnavailable(msg) from odd
            # An answer of a shape yfinance does not expect ends in whatever its code trips over.
            msg = f"Yahoo's answer could not be read: {type(odd).__name__}: {words(odd)}"
            raise Unreadable(msg) from odd
        finally:
            YfData.cache_get.cache_clear()

    def _opened(self) -> Any:
        with self._opening:
            import yfinance  # noqa: PLC0415 - 1 s, pandas, and an extra that other bots do not have

            if self._session is None:
                from yfinance import cache  # noqa: PLC0415

                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                yfinance.set_tz_cache_location(str(self._folder))
                cache._CookieCacheManager._Cookie_cache = cache._CookieCacheDummy()  # noqa: SLF001 - pickles, see above
                yfinance.config.debug.hide_exceptions = False
                warnings.filterwarnings("ignore", category=DeprecationWarning, module="yfinance")  # of pandas 4
                logging.getLogger("yfinance").setLevel(logging.CRITICAL)  # what it logs is raised here
                self._session = self._door.put_before(yfinance_session())
            return yfinance


def words(said: object) -> str:
    """Shorten what is shown to people."""
    printable = "".join(c if c.isprintable() else " " for c in str(said)[: 4 * WORDS_MAX])
    return " ".join(printable.split())[:WORDS_MAX]


def yfinance_session() -> Any:
    """Make a session as yfinance does for itself: Yahoo turns away who does not speak TLS as a browser does."""
    from curl_cffi.requests import Session  # noqa: PLC0415 - comes with yfinance

    return Session(impersonate="chrome")


class _Door:
    """Stands between yfinance and the network."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._send: Callable[..., Any]
        self._here = threading.local()
        self._cookie_told: Any = None
        """The answer that set the cookie now in the session."""

    def put_before(self, session: Any) -> Any:
        """Let all requests of a session through this door, and return it."""
        self._send = session.request
        session.request = self.request  # get and post go through it
        return session

    def begin(self) -> None:
        """Start a question in this thread."""
        self._here.turned_away = self._here.was_cut = False

    @property
    def was_cut(self) -> bool:
        """Did the last request of this thread's question end without an answer?"""
        return bool(self._here.was_cut)

    def request(self, method: str, url: str, **parts: Any) -> Any:
        """Send one request, bounded; raise for an answer that is none, so that yfinance can't take it for one."""
        parts_of_url = urlsplit(url)
        fetches_cookie = parts_of_url.hostname == COOKIES_AT
        if fetches_cookie and self._cookie_told is not None:
            return self._cookie_told
        body = bytearray()
        too_long = False

        def take(part: bytes) -> int:
            nonlocal too_long
            too_long = len(body) + len(part) > BODY_MAX
            if too_long:
                return ABORT
            body.extend(part)
            return len(part)

        self._here.was_cut = False
        parts["timeout"] = min(parts.get("timeout") or ANSWER_S, ANSWER_S)
        try:
            response = self._send(method, self._addressed(url), content_callback=take, **parts)
        except Exception as problem:
            if too_long:
                msg = f"Yahoo's answer is longer than {BODY_MAX} bytes; it was not read."
                raise Unreadable(msg) from problem
            self._here.was_cut = True
            raise
        response.content = bytes(body)
        if fetches_cookie:
            self._cookie_told = response
        elif parts_of_url.path not in SIDE_DOORS:
            self._check(parts_of_url.path, response)
        return response

    def _addressed(self, url: str) -> str:
        """Put the base address in place of Yahoo's hosts; nothing else is asked, whatever yfinance wants."""
        parts = urlsplit(url)
        if not f".{parts.hostname}".endswith(".yahoo.com"):
            msg = f"yfinance would ask {words(parts.hostname)}, which is not Yahoo: name the symbol as Yahoo does."
            raise NotCovered(msg)
        return f"{self._base}{urlunsplit(('', '', parts.path or '/', parts.query, ''))}" if self._base else url

    def _check(self, path: str, response: Any) -> None:
        status = int(response.status_code)
        said = words(response.content[:2_000].decode("utf-8", errors="replace")) or "no body"
        wait_s = _retry_after(response.headers)
        if status == 429 or (status == 503 and wait_s is not None):
            msg = f"Yahoo wants to be asked less (status {status}): {said}"
            raise AskedTooOften(msg, retry_after_s=wait_s)
        if status in (401, 403) and not getattr(self._here, "turned_away", False):
            self._here.turned_away, self._cookie_told = True, None
            return  # yfinance fetches another cookie and asks once more
        if path.startswith(CHART):
            _check_chart(status, response, said)
        elif status == 404 and "Not Found" in said:
            msg = f"Yahoo knows no such symbol: {said}"
            raise NotCovered(msg)
        elif status >= 400:
            msg = f"Yahoo answered with status {status}: {said}"
            raise BarsUnavailable(msg)


def _check_chart(status: int, response: Any, said: str) -> None:
    chart = _chart(response)
    error = chart.get("error") if chart else None
    told = words(error.get("description") or error.get("code")) if isinstance(error, dict) else ""
    if told and status in (400, 404, 422):
        if "doesn't exist for startDate" in told:
            raise YahooEmpty(told)
        msg = f"Yahoo has no such bars: {told}"
        raise NotCovered(msg)
    if status != 200 or told or chart is None or not _tells(chart):
        msg = f"Yahoo answered with status {status} and no chart: {told or said}"
        raise (Unreadable if status == 200 else BarsUnavailable)(msg)


def _chart(response: Any) -> dict[str, Any] | None:
    """Read the chart of an answer; none when there is none.

    Yahoo writes NaN and Infinity now and then, which is no JSON: they become nulls, lest one spoils the whole answer.
    """
    try:
        document = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        try:
            document = json.loads(response.content, parse_constant=lambda _: None)
            response.content = orjson.dumps(document)
        except (ValueError, RecursionError):
            return None
    chart = document.get("chart") if isinstance(document, dict) else None
    return chart if isinstance(chart, dict) else None


def _tells(chart: dict[str, Any]) -> bool:
    """Is there the chart of a symbol, be it without rows?"""
    match chart.get("result"):
        case [{"meta": {"symbol": str(), "exchangeTimezoneName": str()}, "indicators": {"quote": [dict(), *_]}}, *_]:
            return True
        case _:
            return False


def _retry_after(headers: Any) -> float | None:
    """Read how long to wait; a moment in place of seconds counts from the one the answer itself is dated."""
    said, dated = headers.get("Retry-After", ""), http_date(headers.get("Date", ""))
    if dated is None and not said.isdecimal():
        return None
    return retry_after({"retry-after": said}, now=dated or EPOCH)
