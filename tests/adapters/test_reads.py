"""The read side gives back what the journal kept, page by page, to the last digit."""

from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.audit import PostgresAudit
from evil2root.adapters.postgres.bars import PostgresBars
from evil2root.adapters.postgres.drills import PostgresDrills
from evil2root.adapters.postgres.journal import PostgresJournal
from evil2root.adapters.postgres.reads import PostgresReads
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel import actions as do
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.engine.drilled import DrillResult
from evil2root.engine.reads import PAGE_MAX, DecisionFilter
from tests.adapters.bar_histories import BEGIN as BARS_BEGIN
from tests.adapters.bar_histories import a_history
from tests.adapters.kernel_runs import BEGIN, Run, a_run

pytestmark = pytest.mark.postgres

DAYS = 25
EVERYTHING = DecisionFilter()


@pytest.fixture(scope="module")
def run() -> Run:
    return a_run(days=DAYS)


@pytest.fixture
async def reads(engine: AsyncEngine, run: Run) -> PostgresReads:
    await keep(engine, run)
    await keep(engine, a_run(days=3, account="other"))  # must never be seen
    return PostgresReads(engine, account="paper")


async def keep(engine: AsyncEngine, run: Run) -> None:
    journal = PostgresJournal(engine, account=run.policy.account)
    await journal.commit([one for keeps, _ in run.steps for one in keeps], run.state.carry)


def kept_decisions(run: Run) -> dict[str, Decision]:
    return {k.decision.id: k.decision for keeps, _ in run.steps for k in keeps if isinstance(k, do.KeepDecision)}


async def test_the_state_is_read_as_the_kernel_has_it(reads: PostgresReads, run: Run) -> None:
    assert await reads.carry() == run.state.carry
    assert await reads.positions() == tuple(run.state.portfolio.positions.values())
    assert await reads.cash() == run.state.portfolio.cash
    assert await reads.open_orders() == tuple(run.state.orders.values())


async def test_an_account_that_never_began_is_empty(engine: AsyncEngine) -> None:
    reads = PostgresReads(engine, account="paper")

    assert await reads.carry() is None
    assert await reads.cash() == 0
    assert (await reads.orders(symbol=None, limit=10, cursor=None)).items == ()
    assert await reads.equity(since=None, points_max=10) == ()
    assert await reads.verify() is None


@pytest.mark.parametrize("kind", ["orders", "fills", "trades"])
@pytest.mark.parametrize("symbol", [None, "MSFT"])
async def test_pages_together_are_the_whole_list_newest_first(
    reads: PostgresReads, run: Run, kind: str, symbol: str | None
) -> None:
    items: list[object] = []
    cursor: str | None = None
    while True:
        page = await getattr(reads, kind)(symbol=symbol, limit=4, cursor=cursor)
        assert len(page.items) == 4 or page.next is None
        items += page.items
        cursor = page.next
        if cursor is None:
            break

    wanted: dict[str, object] = {}
    for keeps, _ in run.steps:
        for one in keeps:
            match one:
                case do.KeepOrder(order=order) if kind == "orders":
                    wanted[order.client_order_id] = order
                case do.KeepFill(fill=fill) if kind == "fills":
                    wanted[fill.execution_id] = fill
                case do.KeepTrade(trade=trade) if kind == "trades":
                    wanted[trade.id] = trade
                case _:
                    pass
    assert items == [one for one in reversed(wanted.values()) if symbol in (None, getattr(one, "symbol", None))]
    assert len(items) > 8


@pytest.mark.parametrize(
    "cursor", ["", "x", "!!", "4", "ünlogisch", urlsafe_b64encode(b"before:-1").decode(), urlsafe_b64encode(b"before:").decode(),
               urlsafe_b64encode(b"after:1").decode(), urlsafe_b64encode(b"before:" + b"9" * 30).decode()]
)  # fmt: skip
async def test_a_text_that_is_no_cursor_is_refused(reads: PostgresReads, cursor: str) -> None:
    with pytest.raises(ValueError, match="is not a cursor"):
        await reads.orders(symbol=None, limit=5, cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, PAGE_MAX + 1])
async def test_a_page_without_bounds_is_refused(reads: PostgresReads, limit: int) -> None:
    with pytest.raises(ValueError, match="it must be from 1 to 200"):
        await reads.decisions(EVERYTHING, limit=limit, cursor=None)


async def test_a_page_does_not_shift_when_something_new_arrives(engine: AsyncEngine) -> None:
    run = a_run(days=10)
    reads = PostgresReads(engine, account="paper")
    journal = PostgresJournal(engine, account="paper")
    await journal.commit([one for keeps, _ in run.steps for one in keeps], run.state.carry)
    first = await reads.decisions(EVERYTHING, limit=5, cursor=None)
    done = len(run.steps)
    run.group(11)
    await journal.commit([one for keeps, _ in run.steps[done:] for one in keeps], run.state.carry)

    second = await reads.decisions(EVERYTHING, limit=5, cursor=first.next)

    numbers = [row.sequence for row in first.items + second.items]
    assert numbers == list(range(20, 10, -1))


async def test_a_decision_comes_back_to_the_last_bit(reads: PostgresReads, run: Run) -> None:
    for decision in kept_decisions(run).values():
        found = await reads.decision(decision.id)

        assert found == decision
        assert found is not None
        assert repr(found.features["zero"]) == "-0.0"
        assert repr(found.features["big"]) == "1e+16"
    assert await reads.decision("D-0") is None


async def test_a_line_of_the_list_tells_what_became_of_the_decision(reads: PostgresReads, run: Run) -> None:
    page = await reads.decisions(EVERYTHING, limit=PAGE_MAX, cursor=None)
    trades = {t.entry_decision_id: t for t in await reads.all_trades(symbol=None)}
    decisions = kept_decisions(run)

    assert [row.id for row in page.items] == [d.id for d in sorted(decisions.values(), key=lambda d: -d.sequence)]
    for row in page.items:
        decision, trade = decisions[row.id], trades.get(row.id)
        assert (row.why, row.why_not, row.side, row.outcome) == (
            decision.why, decision.why_not, decision.side, decision.outcome,
        )  # fmt: skip
        assert (row.pnl, row.r) == ((trade.pnl, trade.r) if trade else (None, None))
        assert (row.order_state is None) == (not decision.order_ids)
        assert row.score == (decision.view.score if decision.view else None)
    assert len(trades) > 5


async def test_filters_narrow_and_counts_agree(reads: PostgresReads, run: Run) -> None:
    since, until = BEGIN + timedelta(days=5), BEGIN + timedelta(days=15)
    outcomes = (Outcome.ORDERED, Outcome.EXIT_ORDERED)
    which = DecisionFilter(symbol="MSFT", outcomes=outcomes, since=since, until=until)

    page = await reads.decisions(which, limit=PAGE_MAX, cursor=None)
    counts = await reads.decision_counts(which)

    wanted = [
        d for d in kept_decisions(run).values()
        if d.symbol == "MSFT" and d.outcome in outcomes and since <= d.at < until
    ]  # fmt: skip
    assert {row.id for row in page.items} == {d.id for d in wanted}
    assert counts == {o: sum(d.outcome is o for d in wanted) for o in {d.outcome for d in wanted}}
    assert sum(counts.values()) == len(wanted) > 5


async def test_the_latest_decision_is_the_newest_made_until_then(reads: PostgresReads, run: Run) -> None:
    mine = [d for d in kept_decisions(run).values() if d.symbol == "MSFT"]

    assert await reads.latest_decision("MSFT", at=None) == mine[-1]
    assert await reads.latest_decision("MSFT", at=mine[7].at) == mine[7]
    assert await reads.latest_decision("MSFT", at=mine[7].at - timedelta(microseconds=1)) == mine[6]
    assert await reads.latest_decision("MSFT", at=BEGIN) is None


async def test_a_fate_tells_orders_history_fills_and_the_round_trip(reads: PostgresReads, run: Run) -> None:
    trade = (await reads.all_trades(symbol=None))[0]

    fate = await reads.fate(trade.entry_decision_id)

    assert [order.leg.value for order in fate.orders] == ["entry", "stop", "target"]
    assert {event.client_order_id for event in fate.events} == {order.client_order_id for order in fate.orders}
    for _, events in ((o, [e for e in fate.events if e.client_order_id == o.client_order_id]) for o in fate.orders):
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert fate.trade == trade
    assert fate.fills[0].price == trade.entry_price
    assert fate.position is None
    number = int(trade.entry_decision_id[2:])
    assert (fate.previous, fate.next) == (f"D-{number - 1}", f"D-{number + 1}")
    held = next(iter(run.state.portfolio.positions.values()))
    assert (await reads.fate(held.decision_id)).position == held
    if trade.exit_decision_id is not None:
        assert (await reads.fate(trade.exit_decision_id)).trade == trade
    assert (await reads.fate("D-1")).previous is None


async def test_the_curve_is_thinned_and_keeps_its_ends(reads: PostgresReads, run: Run) -> None:
    points = [k.point for keeps, _ in run.steps for k in keeps if isinstance(k, do.KeepEquity)]

    assert await reads.equity(since=None, points_max=1000) == tuple(points)
    for most in (2, 3, 7, 24, 25):
        thinned = await reads.equity(since=None, points_max=most)
        assert len(thinned) == min(most, len(points))
        assert (thinned[0], thinned[-1]) == (points[0], points[-1])
        places = [points.index(point) for point in thinned]
        steps = [after - before for before, after in pairwise(places)]
        assert max(steps) - min(steps) <= 1
    assert (await reads.equity(since=points[10].at, points_max=1000)) == tuple(points[10:])


async def test_an_order_comes_with_its_history(reads: PostgresReads, run: Run) -> None:
    order = next(iter(run.state.orders.values()))

    found = await reads.order(order.client_order_id)

    assert found is not None
    assert found[0] == order
    assert [event.state.value for event in found[1]] == ["SENDING", "ACCEPTED"]
    assert await reads.order("nobody") is None


async def test_bars_show_nothing_a_replay_has_not_shown(engine: AsyncEngine) -> None:
    store, reads = PostgresBars(engine), PostgresReads(engine, account="paper")
    histories = [a_history(30), a_history(20, symbol="MSFT")]
    for history in histories:
        await store.add(history)
    until = BARS_BEGIN + timedelta(days=10)

    rows = await reads.symbols(until=until)
    bars = await reads.bars("AAPL", Interval.D1, start=None, until=until, limit=4)
    last = await reads.last_bars(["MSFT", "AAPL", "XYZ"], Interval.D1, until=until)

    assert [(row.symbol, row.bars, row.last) for row in rows] == [
        ("AAPL", 10, BARS_BEGIN + timedelta(days=9)), ("MSFT", 10, BARS_BEGIN + timedelta(days=9)),
    ]  # fmt: skip
    assert bars.equals(histories[0].adjusted[6:10])
    assert set(last) == {"AAPL", "MSFT"}
    expected = histories[0].adjusted.row(9, named=True)
    assert {name: getattr(last["AAPL"], name) for name in expected} == expected
    everything = await reads.symbols(until=None)
    assert [(row.bars, row.first, row.source) for row in everything] == [
        (30, BARS_BEGIN, "a test"), (20, BARS_BEGIN, "a test"),
    ]  # fmt: skip


async def test_audit_parked_and_health_are_told(engine: AsyncEngine, reads: PostgresReads, run: Run) -> None:
    at: datetime = BEGIN
    for number in range(7):
        await PostgresAudit(engine).write(
            at=at, actor="ann", origin="test", action="halt", subject="trading", before=None, after=str(number)
        )
    journal = PostgresJournal(engine, account="paper")
    await journal.load()
    parked = [do.Park(kind="fill", reason=str(n), payload="p", at=at) for n in range(3)]
    await journal.commit(parked, run.state.carry)

    first = await reads.audit(limit=5, cursor=None)
    rest = await reads.audit(limit=5, cursor=first.next)
    health = await reads.health()

    assert [line.sequence for line in first.items + rest.items] == [7, 6, 5, 4, 3, 2, 1]
    assert (rest.next, first.items[0].after) == (None, "6")
    assert [line.reason for line in await reads.parked(limit=2)] == ["2", "1"]
    assert health.schema
    assert health.size_bytes > 1_000_000
    assert 0 < health.round_trip_ms < 5_000
    assert await reads.verify() is None
    assert isinstance(await reads.cash(), Decimal)


async def test_what_drills_showed_is_kept_and_told_newest_first(engine: AsyncEngine, reads: PostgresReads) -> None:
    held = [
        DrillResult(began_at=BEGIN, positions=2, orders=n, flat_after_s=None if n == 1 else 0.25, says=f"drill {n}")
        for n in range(3)
    ]
    for result in held:
        await PostgresDrills(engine, account="paper").write(result)
    await PostgresDrills(engine, account="other").write(held[0])

    assert await reads.drills(limit=2) == (held[2], held[1])
