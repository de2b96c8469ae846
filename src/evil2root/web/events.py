"""The live stream: what changed since the reader last heard, as the same blocks the page was first made of.

One message carries one `<hx-partial>` a region. Charts get their newest point as named events with JSON. A message's id
is the number of the newest change it tells, so that a reader who comes back is told what it missed, or to load anew.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime

import polars as pl
import structlog

from evil2root.engine.desk import Change, Desk
from evil2root.engine.identity import Identity
from evil2root.web import render
from evil2root.web.curve import Curve
from evil2root.web.regions import PAGES, built
from evil2root.web.views.shell import shell
from evil2root.web.views.symbols import chart_marks, symbol_page

log = structlog.get_logger(__name__)

TOPICS = frozenset({"equity", "risk", "positions", "orders", "decisions", "trades", "health"})
PAUSE_S = 0.5
"""At most two messages a second: what changes faster is told together."""
COMMENT_EVERY_S = 15.0
"""A line that says nothing keeps proxies from closing a quiet stream."""
LOOK_EVERY_S = 1.0
"""How often a waiting stream looks whether the app is stopping."""
POINTS_MAX, BARS_MAX = 500, 100
"""Most points and bars a message brings: as many as changes are remembered, and what a chart shows at once."""
FRAME = "_shell.html"
FRAME_BLOCKS = ("session", "clock", "banner")
SYMBOL_BLOCKS = ("quote", "signal", "held", "history")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Who looks at what."""

    page: str
    topics: frozenset[str]
    subject: str
    """The symbol of a chart page."""
    identity: Identity | None
    csrf: str


async def stream(
    desk: Desk, curve: Curve, listener: Listener, *, since: int | None, is_stopping: Callable[[], bool]
) -> AsyncIterator[str]:
    """Yield messages until the reader goes or the app stops.

    `since` is the last message the reader saw; none for a page that was just made. That the engine became ready, or
    stopped on an error, is no change of the account: it is seen by looking, and told as one of the health.
    """
    changes, phase = desk.changes(), desk.status().phase
    seen = changes.last if since is None else since
    yield f"retry: 1000\nid: {seen}\n: welcome\n\n"
    quiet_s, told = 0.0, Told()
    while not is_stopping():
        fresh = await changes.after(seen, timeout_s=LOOK_EVERY_S)
        if fresh is None:
            seen = changes.last
            yield f"id: {seen}\nevent: resync\ndata: reload\n\n"
            return
        before, phase = phase, desk.status().phase
        if not fresh and phase is not before:
            fresh = (Change(sequence=seen, topics=frozenset({"health"}), at=desk.status().now),)
        if not fresh:
            quiet_s += LOOK_EVERY_S
            if quiet_s >= COMMENT_EVERY_S:
                quiet_s = 0.0
                yield ": still here\n\n"
            continue
        quiet_s, seen = 0.0, fresh[-1].sequence
        for message in await messages(desk, curve, listener, fresh, told):
            yield f"id: {seen}\n{message}\n"
        await asyncio.sleep(PAUSE_S)


async def messages(desk: Desk, curve: Curve, listener: Listener, fresh: tuple[Change, ...], told: "Told") -> list[str]:
    """What one batch of changes means for a reader; nothing when none of it concerns them."""
    changed = frozenset[str]().union(*(c.topics for c in fresh)) & (listener.topics | {"health"})
    if not changed:
        return []
    parts = await _regions(desk, curve, listener, changed)
    found = [_message("".join(parts))]
    if "equity" in changed and listener.page == "overview":
        found.append(_message(await _new_points(desk, told, since=fresh[0].at), event="equity"))
    if "equity" in changed and listener.page == "symbol":
        found.append(_message(await _new_bars(desk, listener.subject, told, since=fresh[0].at), event="bar"))
    return found


async def _regions(desk: Desk, curve: Curve, listener: Listener, changed: frozenset[str]) -> list[str]:
    around = shell(desk, page=listener.page, identity=listener.identity, csrf=listener.csrf)
    parts = [_partial(name, render.block(FRAME, name, {"shell": around})) for name in FRAME_BLOCKS]
    held = len(desk.status().portfolio.positions) or ""
    parts.append(f'<hx-partial hx-target="#nav-held" hx-swap="innerHTML">{held}</hx-partial>')
    if listener.page == "symbol":
        if listener.subject in desk.policy.instruments:
            view = await symbol_page(desk, listener.subject, desk.policy.interval)
            context = {"shell": around, "s": view}
            parts += [_partial(name, render.block("pages/symbol.html", name, context)) for name in SYMBOL_BLOCKS]
        return parts
    template, regions = PAGES.get(listener.page, ("", ()))
    for region in regions:
        if region.topics & changed:
            context = {"shell": around, region.name: await built(region, desk, curve)}
            parts.append(_partial(region.name, render.block(template, region.name, context)))
    return parts


def _partial(target: str, html: str) -> str:
    return f'<hx-partial hx-target="#{target}" hx-swap="outerMorph">{html}</hx-partial>'


def _message(data: str, *, event: str = "") -> str:
    lines = "".join(f"data: {line}\n" for line in data.splitlines() if line.strip())
    return (f"event: {event}\n" if event else "") + lines


async def _new_points(desk: Desk, told: "Told", *, since: datetime) -> str:
    """The points of the equity curve since the last message, as the API writes them: a fast replay adds many."""
    points = await desk.reads.equity(since=min(told.until or since, since), points_max=POINTS_MAX)
    if points:
        told.until = points[-1].at
    return json.dumps(
        [
            {
                "at": p.at.isoformat(),
                "equity": str(p.equity),
                "benchmark": None if p.benchmark is None else str(p.benchmark),
                "drawdown": p.drawdown_frac,
            }
            for p in points
        ]
    )


async def _new_bars(desk: Desk, symbol: str, told: "Told", *, since: datetime) -> str:
    """The bars of a symbol since the last message, as the API writes them, and what is drawn over them now."""
    interval = desk.policy.interval
    start = min(told.until or since, since) - interval.length
    now = desk.status().now
    frame = await desk.reads.bars(symbol, interval, start=None, until=now, limit=BARS_MAX)
    closes = frame["close"].to_list()
    fresh = frame.filter(pl.col("opened_at") >= start)
    frame = fresh if fresh.height else frame.tail(1)
    if frame.height:
        told.until = frame["opened_at"][-1]
    times = ("opened_at", "closed_at")
    bars = [{k: v.isoformat() if k in times else v for k, v in row.items()} for row in frame.iter_rows(named=True)]
    return json.dumps({"bars": bars, "marks": await chart_marks(desk, symbol, closes=closes)})


class Told:
    """How far a reader's chart has been told; lives as long as their stream."""

    def __init__(self) -> None:
        self.until: datetime | None = None
