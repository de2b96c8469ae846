"""Wiring an account: feed, books, broker, engine and desk, in the order they need each other."""

import os
import platform
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root import __version__
from evil2root.adapters.brokers.paper import PaperBroker
from evil2root.adapters.calendars.exchange import ExchangeCalendars
from evil2root.adapters.postgres.audit import PostgresAudit
from evil2root.adapters.postgres.bars import PostgresBars
from evil2root.adapters.postgres.journal import PostgresJournal, away_is_unavailable
from evil2root.adapters.postgres.leadership import PostgresLeadership
from evil2root.adapters.postgres.policies import PostgresPolicies
from evil2root.adapters.postgres.quality import PostgresQuality
from evil2root.adapters.postgres.reads import PostgresReads
from evil2root.adapters.postgres.records import PostgresRecords
from evil2root.adapters.postgres.venue_store import PostgresVenueStore
from evil2root.adapters.postgres.weights import PostgresWeights
from evil2root.adapters.rules_validator import RulesValidator
from evil2root.adapters.system_clock import SystemClock
from evil2root.domain.core.clock import Clock
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import Money
from evil2root.domain.execution.remote import Traits
from evil2root.domain.kernel.events import Deposited
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.profiles import make_policy
from evil2root.engine.changes import ChangeLog
from evil2root.engine.errands import HaltFile
from evil2root.engine.hot import HotWindows
from evil2root.engine.leading import Leading
from evil2root.engine.live import Engine, Ports
from evil2root.engine.outside import Remote
from evil2root.engine.trading_desk import Facts, TradingDesk
from evil2root.engine.weighing import EngineWeighing
from evil2root.main.announcing import live_words
from evil2root.main.database import Database
from evil2root.main.feeds import present, recorded
from evil2root.main.sources import Live
from evil2root.main.venues import account_of, currency_of, remote_broker
from evil2root.settings import Settings, describe


@dataclass(frozen=True, slots=True, kw_only=True)
class Trading:
    """A wired account, not yet running."""

    engine: Engine
    desk: TradingDesk
    leadership: PostgresLeadership
    leading: Leading
    listen: Callable[[], Awaitable[None]] | None
    """See `feeds.Market.listen`."""


def policy_of(settings: Settings, symbols: Sequence[str], *, strategy: str | None = None,
              options: Mapping[str, str] | None = None, account: str | None = None) -> Policy:  # fmt: skip
    """Put together the policy the settings describe, with `options` on top."""
    name = strategy or settings.strategy
    return make_policy(
        name, {**settings.policy_options(name), **(options or {})}, account=account or account_of(settings),
        currency=currency_of(settings, symbols), interval=settings.interval,
        instruments={symbol: instrument_for(symbol) for symbol in symbols},
        rates=[symbol for symbol in settings.rates if symbol not in settings.watchlist],
    )  # fmt: skip


def wire(
    settings: Settings, opened: Database, *, live: Live | None, hot: HotWindows | None = None, say: Callable[[str], None]
) -> Trading:  # fmt: skip
    """Build everything an account needs; nothing is written or trades before this process leads.

    Without `live` sources recorded history is played. Raises `BarsUnavailable` or `BadTable` when it can't be read,
    `SettingsProblem` when the venue can't trade what is on it.
    """
    machine, database = SystemClock(), opened.engine
    leadership = PostgresLeadership(
        opened.dsn, holder=f"{platform.node()}:{os.getpid()}", clock=machine, alone=not opened.shared
    )
    bars, quality, calendars = PostgresBars(database), PostgresQuality(database), calendars_of(settings)
    if live is None:
        market = recorded(settings, database)
        say(f"Recorded history: {market.origin}")
    else:
        market = present(settings, database, live, calendars)
        say(f"Bars of {', '.join(market.symbols)} from {live.sources.name}{f': {market.origin}' * bool(market.origin)}")
    halt_file = HaltFile(settings.data_folder / "HALT")
    outside = remote_broker(settings, symbols=policy_of(settings, market.symbols).traded)
    made = _maker(settings, market.symbols, venue=None if outside is None else outside.traits)
    policy = made({})
    if settings.mode == "live":
        for line in live_words(settings, policy):
            say(line)
    account = policy.account
    policies = PostgresPolicies(database)
    clock = market.clock
    cash = Money(settings.paper.cash)
    broker = None if outside is not None else _paper(database, leadership, policy, clock=clock, cash=cash)
    journal = PostgresJournal(database, account=account, leader=leadership)
    engine = Engine(
        policy=policy,
        ports=Ports(journal=journal, broker=broker, venue=broker, validator=RulesValidator(policy.challenge),
                    feed=market.feed, bars=bars, clock=clock, present=market.present, remote=None if outside is None else Remote(
                        broker=outside, records=PostgresRecords(database, account=account), wall=machine,
                        quarantine_s=settings.execution.quarantine_s, leads=lambda: leadership.leads,
                        halted=halt_file.present),
                    calendars=calendars, marks=quality),
        opening=Deposited(amount=cash, at=market.starts_after, ref="deposit:1"),
        changes=ChangeLog(),
    )  # fmt: skip

    store = PostgresWeights(database, account=account, set_options=settings.policy_options(), leader=leadership)
    weighing = EngineWeighing(engine=engine, store=store, made=made, clock=machine, leader=leadership)

    def tell(text: str) -> None:
        engine.says = text

    async def open_account() -> None:
        with away_is_unavailable():
            await market.prepare(tell)
            await policies.keep(policy, settings.policy_options())
            await weighing.load()
        if broker is not None:
            await broker.open()

    facts = Facts(
        mode=settings.mode, broker=settings.broker, simulated=market.simulated, started_at=machine.now(),
        version=__version__, feed_source=market.source, feed_origin=market.origin, feed_speed=market.speed,
        feed_total=market.total, shown=market.shown or (lambda _: engine.shown), missing=market.missing, due=market.due,
        providers=market.providers, streams=market.streams,
    )  # fmt: skip
    desk = TradingDesk(
        engine=engine, reads=PostgresReads(database, account=account, calendars=calendars, hot=hot), windows=bars,
        policies=policies,
        audit=PostgresAudit(database), clock=market.present or clock, machine_clock=machine, facts=facts, halt_file=halt_file,
        settings=lambda: {key: {"value": value, "origin": origin} for key, value, origin in describe(settings)},
        leader=leadership, weighing=weighing,
    )  # fmt: skip
    leading = Leading(
        engine=engine, journal=journal, leadership=leadership, open_account=open_account, look=weighing.look
    )
    return Trading(engine=engine, desk=desk, leadership=leadership, leading=leading, listen=market.listen)


def _maker(
    settings: Settings, symbols: Sequence[str], *, venue: Traits | None
) -> Callable[[Mapping[str, str]], Policy]:
    """Make what puts the account's policy together, given options on top of the settings."""
    return lambda options: replace(policy_of(settings, symbols, options=options), venue=venue)


def _paper(
    database: AsyncEngine, leadership: PostgresLeadership, policy: Policy, *, clock: Clock, cash: Money
) -> PaperBroker:
    store = PostgresVenueStore(database, leader=leadership)
    return PaperBroker(store, policy.terms, clock, account=policy.account, cash=cash)


def calendars_of(settings: Settings) -> ExchangeCalendars:
    """Return the calendars; tables that had to be asked for are kept in the data directory."""
    return ExchangeCalendars(settings.data_folder / "calendars")
