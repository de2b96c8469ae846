"""The live stream: what changed since the reader last heard, as the same blocks the page was first made of.

One message carries one `<hx-partial>` a region. Charts get their newest point as named events with JSON. A message's id
is the number of the newest change it tells, so that a reader who comes back is told what it missed, or to load anew.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import structlog

from evil2root.domain.core.timeframe import Interval
from evil2root.engine.desk import Change, Desk
from evil2root.engine.identity import Identity
from evil2root.web import render
from evil2root.web.curve import Curve
from evil2root.web.regions import PAGES, built
from evil2root.web.views.shell import shell
from evil2root.web.views.symbols import symbol_page

log = structlog.get_logger(__name__)

TOPICS = frozenset({"equity", "risk", "positions", "orders", "decisions", "trades", "health"})
PAUSE_S = 0.5
"""At most two messages a second: what changes faster is told together."""
COMMENT_EVERY_S = 15.0
"""A line that says nothing keeps proxies from closing a quiet stream."""
LOOK_EVERY_S = 1.0
"""How often a waiting stream looks whether the app is stopping."""
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
    quiet_s = 0.0
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
        for message in await messages(desk, curve, listener, fresh):
            yield f"id: {seen}\n{message}\n"
        await asyncio.sleep(PAUSE_S)


async def messages(desk: Desk, curve: Curve, listener: Listener, fresh: tuple[Change, ...]) -> list[str]:
    """What one batch of changes means for a reader; nothing when none of it concerns them."""
    changed = frozenset[str]().union(*(c.topics for c in fresh)) & (listener.topics | {"health"})
    if not changed:
        return []
    told = []
    parts = await _regions(desk, curve, listener, changed)
    if parts:
        told.append(_message("".join(parts)))
    if "equity" in changed and listener.page == "overview":
        point = await newest_point(desk, curve)
        if point is not None:
            told.append(_message(point, event="equity"))
    if "equity" in changed and listener.page == "symbol":
        bar = await newest_bar(desk, listener.subject)
        if bar is not None:
            told.append(_message(bar, event="bar"))
    return told


async def _regions(desk: Desk, curve: Curve, listener: Listener, changed: frozenset[str]) -> list[str]:
    around = shell(desk, page=listener.page, identity=listener.identity, csrf=listener.csrf)
    parts = [_partial(name, render.block(FRAME, name, {"shell": around})) for name in FRAME_BLOCKS]
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


async def newest_point(desk: Desk, curve: Curve) -> str | None:
    """The last point of the equity curve, as the API writes it."""
    facts = await curve.facts(desk.reads)
    if facts is None:
        return None
    point = facts.last
    benchmark = None if point.benchmark is None else str(point.benchmark)
    return json.dumps(
        {"at": point.at.isoformat(), "equity": str(point.equity), "benchmark": benchmark,
         "drawdown": point.drawdown_frac}
    )  # fmt: skip


async def newest_bar(desk: Desk, symbol: str) -> str | None:
    """The last bar of a symbol, as the API writes it."""
    interval: Interval = desk.policy.interval
    frame = await desk.reads.bars(symbol, interval, start=None, until=desk.status().now, limit=1)
    if not frame.height:
        return None
    row = frame.row(0, named=True)
    return json.dumps({k: v.isoformat() if k in {"opened_at", "closed_at"} else v for k, v in row.items()})
