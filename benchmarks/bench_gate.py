"""What the risk gate costs: each limit alone, all of them, and the facts they rest on, by the number of positions.

Best of 300 calls, since a machine only ever adds to the true cost. The aims: a limit below 50 microseconds, the whole way
from an account of 500 positions to the answer below a millisecond.
"""

import time
from collections.abc import Callable
from decimal import Decimal

from gate import Book, a_book

from evil2root.domain.kernel.entering import conclude, entry_order
from evil2root.domain.kernel.exposing import burden_of, exposure_of
from evil2root.domain.risk.breaker import Breaker
from evil2root.domain.risk.check import Asked
from evil2root.domain.risk.company import company_of
from evil2root.domain.risk.exposure import Exposure
from evil2root.domain.risk.rules import RULES, checks
from evil2root.domain.risk.sizing import size

TIMES = 300
PRICE = Decimal("100.25")


def best_us(work: Callable[[], object]) -> float:
    """Return the microseconds of one call."""
    found = []
    for _ in range(TIMES):
        started = time.perf_counter_ns()
        work()
        found.append(time.perf_counter_ns() - started)
    return min(found) / 1e3


def asked_of(book: Book, exposure: Exposure) -> Asked:
    """Size the book's decision and put it as the gate is asked."""
    policy, proposal = book.policy, book.decision.proposal
    assert proposal is not None
    instrument = policy.instruments[book.decision.symbol]
    sized = size(
        proposal, price=PRICE, factor=Decimal(1), exposure=exposure, method=policy.sizing, limits=policy.limits,
        instrument=instrument,
    )  # fmt: skip
    order = entry_order(book.decision, proposal, sized, policy=policy, at=book.turn.at)
    return Asked(
        order=order, price=PRICE, exposure=exposure, limits=policy.limits, breaker=Breaker(), instrument=instrument
    )


def whole(book: Book) -> object:
    """Go the whole way from the account to the answer."""
    exposure = exposure_of(book.turn, book.decision, at_open=False)
    return conclude(
        book.decision, price=PRICE, exposure=exposure, breaker=Breaker(), policy=book.policy, at=book.turn.at
    )


def show(book: Book, positions: int) -> None:
    exposure = exposure_of(book.turn, book.decision, at_open=False)
    asked = asked_of(book, exposure)
    recent, burden = book.state.recent, burden_of(book.state)
    assert recent is not None
    print(f"{positions} positions, {len(checks(asked))} limits held against, microseconds")
    rows: dict[str, Callable[[], object]] = {
        "sums over the account": lambda: burden_of(book.state),
        "correlation, tails (60 bars)": lambda: company_of(
            recent, symbol=asked.order.symbol, side=asked.order.side, signed=burden.signed, gross=burden.gross
        ),
        "all facts": lambda: exposure_of(book.turn, book.decision, at_open=False),
        "all limits": lambda: checks(asked),
        "the whole way: facts, size, limits": lambda: whole(book),
    }
    for name, work in rows.items():
        print(f"  {name:40}{best_us(work):10.1f}")
    by_cost = sorted(((best_us(lambda rule=rule: rule(asked)), rule.__name__) for rule in RULES), reverse=True)  # type: ignore[misc]
    for cost, name in by_cost[:3]:
        print(f"  limit {name:34}{cost:10.1f}")


def main() -> None:
    for positions in (5, 50, 500):
        show(a_book(positions), positions)


if __name__ == "__main__":
    main()
