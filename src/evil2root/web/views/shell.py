"""The frame of every page: navigation, mode, session, banner, halt dialog."""

from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from evil2root.domain.book.orders import Leg
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.risk.breaker import BreakerState
from evil2root.engine.desk import Desk, FeedState, Phase, Status
from evil2root.engine.identity import Identity
from evil2root.web import format as f
from evil2root.web.deps import may_administer, may_trade
from evil2root.web.notice import Notice
from evil2root.web.views.common import Place, place_of

STALE_AFTER_BARS = 3
STALE_AFTER_DAYS = timedelta(days=5)
"""Age of the newest daily bar of a live feed that can't be explained by a weekend and a holiday."""


MISSING_SHOWN = 3
"""Symbols without a bar that a banner names; the page System names all."""

BADGE_TITLES = {
    "REPLAY": "Prices are recorded history, not today's market",
    "SIMULATED": "Prices are invented, not those of any market",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NavItem:
    """One place to go."""

    key: str
    label: str
    href: str
    glyph: str
    count: str
    """Shown beside it; empty for none."""
    warns: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """The one thing that matters most right now."""

    tone: str
    glyph: str
    lead: str
    text: str
    action: str
    """`resume`, `system`, `reconcile` or empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltChoice:
    """One grade of stopping, with its consequence in numbers."""

    value: str
    title: str
    text: str
    verb: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """Everything around the page."""

    page: str
    """Names the page to its styles and its live stream."""
    section: str
    """The item of the navigation it belongs to."""
    title_prefix: str
    mode: str
    mode_label: str
    mode_title: str
    badge: str
    """What is said of prices that are none of today's market; empty for those that are."""
    badge_title: str
    state: str
    """`ok`, `warn` or `down`: the dot beside the session."""
    session: str
    session_detail: str
    clock: f.Moment
    clock_zone: str
    groups: tuple[tuple[str, tuple[NavItem, ...]], ...]
    tabs: tuple[NavItem, ...]
    user: str
    initials: str
    role: str
    about: str
    may_trade: bool
    may_administer: bool
    csrf: str
    halted: bool
    choices: tuple[HaltChoice, ...]
    banner: Banner | None
    notice: Notice | None
    stream: str
    """Address of the page's live stream; empty for a page without one."""


def shell(  # noqa: PLR0913 - the parts of the frame
    desk: Desk,
    *,
    page: str,
    identity: Identity | None,
    csrf: str,
    notice: Notice | None = None,
    topics: str = "",
    subject: str = "",
) -> Shell:
    """Build the frame for `page`."""
    status = desk.status()
    place = place_of(desk.policy, status.now)
    is_live = status.mode == "live"
    name = identity.name if identity is not None else "nobody"
    session, detail, state = _session(status, place)
    warns = status.phase is not Phase.READY
    return Shell(
        page=page,
        section={"symbol": "symbols", "decision": "decisions"}.get(page, page),
        title_prefix="LIVE · " if is_live else "",
        mode="live" if is_live else "paper",
        mode_label="Live" if is_live else "Paper",
        mode_title="Orders go to a real broker" if is_live else "Orders go to the simulated broker",
        badge=status.feed.badge,
        badge_title=BADGE_TITLES.get(status.feed.badge, ""),
        state=state,
        session=session,
        session_detail=detail,
        clock=f.Moment(
            iso=place.stamp(status.now).iso, text=_clock(status, place), title=place.stamp(status.now).title
        ),
        clock_zone=f.city(place.zone),
        groups=_groups(
            held=len(status.portfolio.positions),
            warns=warns,
            diverged=status.phase is Phase.DIVERGED or bool(status.carry.frozen),
        ),
        tabs=_tabs(),
        user=name,
        initials=name[:2].upper(),
        role=identity.role.value if identity is not None else "",
        about=f"v{status.version}",
        may_trade=may_trade(identity),
        may_administer=may_administer(identity),
        csrf=csrf,
        halted=status.carry.breaker.state is BreakerState.HALTED,
        choices=halt_choices(desk, place),
        banner=_banner(desk, status, place),
        notice=notice,
        stream=_stream(desk, page, topics, subject) if topics else "",
    )


def _stream(desk: Desk, page: str, topics: str, subject: str) -> str:
    """Address of the page's stream, from the newest change on that the page may already show."""
    return f"/events?page={page}&topics={topics}&symbol={f.path(subject)}&since={desk.changes().last}"


def halt_choices(desk: Desk, place: Place) -> tuple[HaltChoice, ...]:
    """What each grade of a halt would do now."""
    entries = [o.symbol for o in desk.state.orders.values() if o.leg is Leg.ENTRY]
    waiting = len(desk.state.awaiting)
    held = len(desk.state.portfolio.positions)
    gross = place.money(desk.state.portfolio.gross, whole=True)
    cancels = f"Also cancels {f.count(len(entries), 'working entry order')} ({', '.join(entries)})."
    dropped = f" Drops {f.count(waiting, 'proposal')} that still wait." if waiting else ""
    return (
        HaltChoice(
            value="pause", title="Pause entries", verb="Pause entries",
            text="No new positions. Stops, targets and exits keep working." + dropped,
        ),
        HaltChoice(
            value="cancel", title="Pause and cancel orders", verb="Pause and cancel",
            text=cancels if entries else "No entry order is working now, so this does the same.",
        ),
        HaltChoice(
            value="flatten", title="Close everything", verb="Close everything",
            text=f"Closes {f.count(held, 'position')} at market, about {gross}. Cannot be undone." if held
            else "Nothing is held now, so there is nothing to close.",
        ),
    )  # fmt: skip


def _clock(status: Status, place: Place) -> str:
    stamp = place.stamp(status.now)
    if not status.feed.is_replay:
        return stamp.text
    there = status.now.astimezone(ZoneInfo(place.zone))
    return f"{there.day} {there:%b %Y, %H:%M}"


def _session(status: Status, place: Place) -> tuple[str, str, str]:
    """Return what to say of the market data, a detail, and the dot's state. Only what is known is said."""
    feed = status.feed
    if status.phase is not Phase.READY:
        return _phase_words(status.phase), status.says, "warn"
    if feed.is_replay:
        shown = place.day(feed.last_bar_at).text if feed.last_bar_at is not None else "not begun"
        if feed.last_bar_at is not None and not shown.endswith(str(feed.last_bar_at.year)):
            shown = f"{shown} {feed.last_bar_at.year}"
        done = f"{feed.shown / feed.total:.0%} shown" if feed.total else ""
        return f"Replay of recorded history, {shown}", "finished" if feed.finished else done, "ok"
    if feed.last_bar_at is None:
        return f"{feed.source}: no bar yet", "", "warn"
    return f"Newest bar {place.moment(feed.last_bar_at).text}", feed.source, "ok"


def _phase_words(phase: Phase) -> str:
    return {
        Phase.STARTING: "Starting",
        Phase.RECOVERING: "Recovering",
        Phase.READY: "Ready",
        Phase.STANDBY: "Standing by",
        Phase.DIVERGED: "Stopped: books differ from the broker's",
        Phase.DATABASE: "Database not reachable",
        Phase.STOPPED: "Stopped",
    }[phase]


def is_stale(feed: FeedState, status: Status, interval: Interval) -> bool:
    """Is the newest bar of a live feed older than the calendars, or without them its interval, allow?"""
    if feed.is_replay or feed.last_bar_at is None:
        return False
    if feed.due is not None:
        return feed.last_bar_at < feed.due
    limit = STALE_AFTER_DAYS if interval is Interval.D1 else STALE_AFTER_BARS * interval.length
    return status.now - feed.last_bar_at > limit


def _banner(desk: Desk, status: Status, place: Place) -> Banner | None:
    breaker = status.carry.breaker
    if status.phase is Phase.DIVERGED:
        return Banner(
            tone="danger", glyph="alert", lead=f"{_phase_words(status.phase)}.", text=status.says, action="reconcile"
        )
    if breaker.state is BreakerState.HALTED:
        when = f" at {place.stamp(breaker.at).text}" if breaker.at is not None else ""
        why = f": “{breaker.reason}”" if breaker.reason else ""
        text = f"by {breaker.by}{when}{why}. Stops, targets and exits keep working. Lasts until resumed."
        return Banner(tone="danger", glyph="stop", lead="Entries are halted", text=text, action="resume")
    if breaker.state is BreakerState.REDUCING:
        text = f"{breaker.reason}. Stops, targets and exits keep working. Ends {breaker.ends}."
        return Banner(tone="warn", glyph="pause", lead="No entries for now:", text=text, action="resume")
    if is_stale(status.feed, status, desk.policy.interval) and status.feed.last_bar_at is not None:
        age = f.lasted(status.now - status.feed.last_bar_at)
        text = f"Prices below are those of {place.stamp(status.feed.last_bar_at).text}."
        return Banner(tone="warn", glyph="alert", lead=f"The newest bar is {age} old.", text=text, action="system")
    if status.feed.missing and status.phase is Phase.READY:
        names = ", ".join(symbol for symbol, _ in status.feed.missing[:MISSING_SHOWN])
        more = len(status.feed.missing) - MISSING_SHOWN
        lead = f"No newest bar of {names}{f' and {more} more' if more > 0 else ''}."
        text = f"{status.feed.missing[0][1]}. Not traded until it is there."
        return Banner(tone="warn", glyph="alert", lead=lead, text=text, action="system")
    if status.phase is not Phase.READY:
        text = status.says or "Nothing is traded until this is over."
        return Banner(tone="warn", glyph="alert", lead=f"{_phase_words(status.phase)}.", text=text, action="system")
    return None


def _item(  # noqa: PLR0913 - the parts of a link
    key: str, label: str, href: str, glyph: str, *, count: int = 0, warns: bool = False
) -> NavItem:
    return NavItem(key=key, label=label, href=href, glyph=glyph, count=str(count) if count else "", warns=warns)


def _groups(*, held: int, warns: bool, diverged: bool) -> tuple[tuple[str, tuple[NavItem, ...]], ...]:
    return (
        (
            "Trading",
            (
                _item("overview", "Overview", "/", "home"),
                _item("symbols", "Charts", "/symbols", "candles"),
                _item("decisions", "Decisions", "/decisions", "split"),
                _item("positions", "Positions", "/positions", "layers", count=held),
                _item("trades", "Trades", "/trades", "list"),
            ),
        ),
        ("Research", (_item("signals", "Signals", "/signals", "spark"),)),
        (
            "Operations",
            (
                _item("system", "System", "/system", "pulse", warns=warns),
                _item("reconcile", "Broker's books", "/reconcile", "table", warns=diverged),
                _item("audit", "Audit log", "/audit", "book"),
                _item("help", "Help", "/help", "file"),
            ),
        ),
    )


def _tabs() -> tuple[NavItem, ...]:
    return (
        _item("overview", "Overview", "/", "home"),
        _item("symbols", "Charts", "/symbols", "candles"),
        _item("decisions", "Decisions", "/decisions", "split"),
        _item("positions", "Positions", "/positions", "layers"),
        _item("more", "More", "/more", "more"),
    )
