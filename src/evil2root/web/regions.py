"""The live regions: one builder and one named block each, used by the page's first paint and by every update alike."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import structlog

from evil2root.engine.desk import Desk
from evil2root.web.curve import Curve
from evil2root.web.render import Failed
from evil2root.web.views import overview, positions, system

log = structlog.get_logger(__name__)

GOES_ON = "The bot goes on; stops and targets stay in force."
T = TypeVar("T")
Builder = Callable[[Desk, Curve], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A part of a page that lives on its own."""

    name: str
    """Of its block, of the element's id, and of the variable its block reads."""
    topics: frozenset[str]
    """Changes that make it old."""
    build: Builder
    what: str
    """What to say could not be read."""
    meanwhile: str


async def built(region: Region, desk: Desk, curve: Curve) -> object:
    """Build a region; when that fails, say so in its place: one broken region never takes the page down."""
    try:
        return await region.build(desk, curve)
    except Exception:
        log.exception("page.region_failed", region=region.name)
        return Failed(what=region.what, meanwhile=region.meanwhile)


async def guarded(reading: Awaitable[T], *, what: str, name: str) -> T | Failed:
    """Wait for a part of a page; when it fails, say so in its place."""
    try:
        return await reading
    except Exception:
        log.exception("page.region_failed", region=name)
        return Failed(what=what, meanwhile=GOES_ON)


async def _equity(desk: Desk, curve: Curve) -> object:
    return await overview.equity_card(desk, curve)


async def _risk(desk: Desk, _curve: Curve) -> object:
    return overview.risk_card(desk)


async def _positions(desk: Desk, _curve: Curve) -> object:
    return await positions.positions_card(desk)


async def _today(desk: Desk, _curve: Curve) -> object:
    return await overview.today_card(desk)


async def _health(desk: Desk, _curve: Curve) -> object:
    return await system.services(desk)


async def _orders(desk: Desk, _curve: Curve) -> object:
    return positions.order_rows(desk)


async def _headline(desk: Desk, _curve: Curve) -> object:
    return overview.headline(desk)


POSITIONS = Region(
    name="positions", topics=frozenset({"positions", "equity"}), build=_positions,
    what="The positions could not be read", meanwhile=GOES_ON,
)  # fmt: skip
HEALTH = Region(
    name="health", topics=frozenset({"health", "equity"}), build=_health, what="The state of the system could not be read",
    meanwhile="The database may not answer just now. " + GOES_ON,
)  # fmt: skip
OVERVIEW = (
    Region(name="headline", topics=frozenset({"positions", "orders", "equity"}), build=_headline,
           what="", meanwhile=""),
    Region(name="equity", topics=frozenset({"equity"}), build=_equity, what="The equity curve could not be read",
           meanwhile=GOES_ON),
    Region(name="risk", topics=frozenset({"risk", "positions", "equity"}), build=_risk,
           what="The risk could not be computed", meanwhile=GOES_ON),
    POSITIONS,
    Region(name="today", topics=frozenset({"decisions"}), build=_today, what="The decisions could not be read",
           meanwhile=GOES_ON),
    HEALTH,
)  # fmt: skip
HOLDINGS = (
    POSITIONS,
    Region(name="orders", topics=frozenset({"orders", "positions"}), build=_orders,
           what="The orders could not be read", meanwhile=GOES_ON),
)  # fmt: skip
MACHINE = (HEALTH,)

PAGES: Mapping[str, tuple[str, tuple[Region, ...]]] = {
    "overview": ("pages/overview.html", OVERVIEW),
    "positions": ("pages/positions.html", HOLDINGS),
    "system": ("pages/system.html", MACHINE),
}
"""By page: its template and its regions."""


def topics_of(regions: tuple[Region, ...]) -> str:
    """What a page's stream is asked for."""
    return ",".join(sorted(frozenset[str]().union(*(r.topics for r in regions)) | {"health"}))
