"""Is it healthy? The strip on the overview and the page of its own."""

from collections.abc import Mapping
from dataclasses import dataclass

from evil2root.domain.risk.breaker import BreakerState
from evil2root.engine.asking import Standing
from evil2root.engine.desk import Desk, FeedState, Phase, Status
from evil2root.engine.hot import CacheState
from evil2root.engine.listening import Hearing
from evil2root.engine.reads import AuditLine, DatabaseHealth
from evil2root.web import format as f
from evil2root.web.views.common import Badge, Place, place_of
from evil2root.web.views.shell import is_stale

PARKED_MAX = 20
DRILLS_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One part of the machine."""

    name: str
    state: str
    """`ok`, `warn` or `down`."""
    headline: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A name and what it is."""

    label: str
    value: str
    is_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolFresh:
    """How much is stored of one symbol."""

    symbol: str
    interval: str
    bars: str
    first: f.Moment
    last: f.Moment
    source: str
    source_title: str
    """The whole of it; the source names where it lies, what it is and for which dates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedRow:
    """An event that fitted nothing known."""

    at: f.Moment
    kind: str
    reason: str
    payload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillRow:
    """A rehearsal of the halt."""

    at: f.Moment
    took: str
    held: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """Who did what."""

    sequence: str
    at: f.Moment
    actor: str
    origin: str
    action: str
    object: str
    before: str
    after: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemPage:
    """Everything about the machine."""

    verdict: Badge
    facts: tuple[Fact, ...]
    settings: tuple[Fact, ...]


async def services(desk: Desk) -> tuple[Service, ...]:
    """The parts that exist, and how each is. A database that does not answer is one of them, not an error."""
    status = desk.status()
    place = place_of(desk.policy, status.now)
    return (
        _market_data(desk, status, place),
        Service(name="Broker", state="ok", headline=status.broker,
                detail="simulated venue" if status.mode == "paper" else "live account"),
        _validation(desk),
        _database(await desk.reads.health()),
        _cache(desk.reads.cache()),
        _engine(status),
        *(_provider(one, place) for one in status.feed.providers),
        *_streams(status.feed, place),
        Service(name="Strategy", state="ok", headline=status.strategy,
                detail=f"{desk.policy.interval} bars, {f.count(len(desk.policy.instruments), 'symbol')}"),
    )  # fmt: skip


def _market_data(desk: Desk, status: Status, place: Place) -> Service:
    feed = status.feed
    if feed.is_replay:
        share = f"{feed.shown / feed.total:.0%}" if feed.total else f.big(feed.shown)
        of = f" of {feed.total:,}" if feed.total else ""
        return Service(
            name="Market data", state="ok", headline="finished" if feed.finished else share,
            detail=f"replay, {feed.shown:,}{of} bars",
        )  # fmt: skip
    if feed.last_bar_at is None:
        return Service(name="Market data", state="warn", headline="no bar yet", detail=feed.source)
    stale = is_stale(feed, status, desk.policy.interval)
    without = "; ".join(f"{symbol}: {why}" for symbol, why in feed.missing)
    return Service(
        name="Market data", state="warn" if stale or without else "ok", headline=place.moment(feed.last_bar_at).text,
        detail=f"without {without}" if without else f"{feed.source}, {f.count(len(desk.policy.instruments), 'symbol')}",
    )  # fmt: skip


def _provider(one: Standing, place: Place) -> Service:
    """Tell of a source that is asked for bars: does it answer, may it be asked, and how often still?"""
    budget = f"{one.requests_left} of {one.requests_a_minute} requests a minute left"
    name = f"Source {one.name}"
    if one.left_alone_until is not None:
        until = place.stamp(one.left_alone_until).text
        return Service(name=name, state="down", headline=f"left alone until {until}", detail=one.says or budget)
    if one.says:
        return Service(name=name, state="warn", headline="failed last time", detail=one.says)
    if one.answered_at is None:
        return Service(name=name, state="ok", headline="not asked yet", detail=budget)
    return Service(name=name, state="ok", headline=f"answered {place.stamp(one.answered_at).text}", detail=budget)


def _streams(feed: FeedState, place: Place) -> tuple[Service, ...]:
    """Tell of the streams of prices, or that none is listened to. None of them is needed: bars are asked for anyway."""
    if feed.is_replay:
        return ()
    if not feed.streams:
        return (Service(name="Stream", state="ok", headline="not listened to", detail="no source named has one"),)
    return tuple(_stream(one, place) for one in feed.streams)


def _stream(one: Hearing, place: Place) -> Service:
    name, last = f"Stream {one.name}", one.last
    if last is None:
        told = "nothing told yet"
    else:
        told = f"{last.symbol} {last.what} at {f.price(last.price)}, {place.stamp(last.at).text}"
    if not one.is_listened_to:
        detail = f"{one.says}; last {told}" if last is not None else one.says
        return Service(name=name, state="ok", headline="not listened to", detail=detail)
    if one.says:
        return Service(name=name, state="warn", headline="lost, opened again", detail=f"{one.says}; last {told}")
    return Service(
        name=name, state="ok", headline="nothing told yet" if last is None else place.stamp(last.at).text,
        detail="listened to" if last is None else f"{told.rpartition(',')[0]}, {f.count(one.symbols, 'symbol')} told of",
    )  # fmt: skip


def _validation(desk: Desk) -> Service:
    if desk.policy.challenge is None:
        return Service(name="Validation", state="ok", headline="off", detail="this strategy takes every signal")
    return Service(name="Validation", state="ok", headline="rules only", detail="LLM not configured")


def _database(health: DatabaseHealth) -> Service:
    return Service(
        name="Database", state="ok", headline=f"{health.round_trip_ms:.1f} ms",
        detail=f"{_named(health.version)}, {f.size(health.size_bytes)}",
    )  # fmt: skip


def _cache(cache: CacheState) -> Service:
    if cache.kind == "none":
        return Service(name="Cache", state="ok", headline="none", detail=cache.says)
    counted = f"{f.count(cache.hits, 'hit')}, {f.count(cache.misses, 'miss', 'misses')}"
    if cache.refused or cache.failures:
        counted += f", {cache.refused:,} refused, {f.count(cache.failures, 'failure')}"
    return Service(
        name="Cache", state="warn" if cache.is_away else "ok", headline="away" if cache.is_away else cache.kind,
        detail=f"{counted}; {cache.says}",
    )  # fmt: skip


def _named(version: str) -> str:
    return f"PostgreSQL {version}" if version[:1].isdigit() else version


def _engine(status: Status) -> Service:
    state = "ok" if status.phase is Phase.READY else "warn"
    headline = f"{status.step_ms:.1f} ms" if state == "ok" else status.phase.value
    detail = f"last bars, {status.inbox} waiting" if state == "ok" else (status.says or "not trading")
    return Service(name="Engine", state=state, headline=headline, detail=detail)


async def system_page(desk: Desk) -> SystemPage:
    """Versions, limits and settings."""
    status = desk.status()
    place = place_of(desk.policy, status.now)
    feed = status.feed
    return SystemPage(
        verdict=_verdict(status),
        facts=(
            Fact(label="Version", value=status.version, is_code=True),
            Fact(label="Mode", value=status.mode),
            Fact(label="Broker", value=status.broker),
            Fact(label="Strategy", value=status.strategy),
            Fact(label="Policy", value=desk.policy.digest[:16] or "none", is_code=True),
            Fact(label="Started", value=place.stamp(status.started_at).title),
            Fact(label="Engine's time", value=place.stamp(status.now).title),
            Fact(label="Market data", value=feed.source),
            Fact(label="Recorded history", value=feed.origin or "none"),
            Fact(
                label="Replay speed",
                value=f"{feed.speed:g} bar{'s' * (feed.speed != 1)} a second" if feed.speed else "as it comes",
            ),
            Fact(label="Decisions so far", value=f"{status.carry.decisions:,}"),
        ),
        settings=tuple(Fact(label=name, value=_shown(value), is_code=True) for name, value in _flat(desk.settings())),
    )


def _verdict(status: Status) -> Badge:
    if status.phase is not Phase.READY:
        return Badge(label=status.phase.value.capitalize(), tone="warn", glyph="alert")
    if status.carry.breaker.state is not BreakerState.ACTIVE:
        return Badge(label="Entries halted", tone="plain", glyph="stop")
    return Badge(label="Trading", tone="good", glyph="check")


def _flat(settings: object, prefix: str = "") -> list[tuple[str, object]]:
    if not isinstance(settings, Mapping):
        return [(prefix, settings)]
    if settings.keys() == {"value", "origin"}:
        return [(prefix, f"{_shown(settings['value'])} ({settings['origin']})")]
    return [pair for name, value in settings.items() for pair in _flat(value, f"{prefix}.{name}" if prefix else name)]


def _shown(value: object) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)


async def freshness(desk: Desk) -> tuple[SymbolFresh, ...]:
    """What is stored of each symbol, as far as it may be seen yet."""
    status = desk.status()
    place = place_of(desk.policy, status.now)
    rows = await desk.reads.symbols(until=status.now)
    return tuple(
        SymbolFresh(symbol=r.symbol, interval=r.interval.value, bars=f"{r.bars:,}", first=place.day(r.first),
                    last=place.day(r.last), source=r.source.partition(":")[0],
            source_title=r.source)
        for r in rows
    )  # fmt: skip


async def parked(desk: Desk) -> tuple[ParkedRow, ...]:
    """Events that were set aside for a person."""
    place = place_of(desk.policy, desk.status().now)
    lines = await desk.reads.parked(limit=PARKED_MAX)
    return tuple(ParkedRow(at=place.stamp(p.at), kind=p.kind, reason=p.reason, payload=p.payload) for p in lines)


async def drills(desk: Desk) -> tuple[DrillRow, ...]:
    """What rehearsals of the halt showed."""
    place = place_of(desk.policy, desk.status().now)
    return tuple(
        DrillRow(
            at=place.stamp(d.began_at), says=d.says,
            took="not closed" if d.flat_after_s is None else f"flat in {d.flat_after_s:,.2f} s",
            held=f"{f.count(d.positions, 'position')}, {f.count(d.orders, 'open order')}",
        )
        for d in await desk.reads.drills(limit=DRILLS_MAX)
    )  # fmt: skip


def audit_row(line: AuditLine, place: Place) -> AuditRow:
    """One line of the audit log."""
    return AuditRow(
        sequence=f"{line.sequence:,}", at=place.stamp(line.at), actor=line.actor, origin=line.origin,
        action=line.action, object=line.object, before=line.before or "", after=line.after or "",
        hash=line.hash[:12],
    )  # fmt: skip
