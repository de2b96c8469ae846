"""What a Prometheus server reads."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from evil2root.api.routes.status import resident_bytes
from evil2root.domain.book.orders import OrderState
from evil2root.domain.risk.breaker import BreakerState
from evil2root.engine.desk import Desk, Phase

CONTENT_TYPE = CONTENT_TYPE_LATEST


def metrics(desk: Desk) -> bytes:
    """Write the metrics as they are now. All of it is in memory: a scrape asks no database."""
    registry = CollectorRegistry()
    registry.register(_Now(desk))
    return generate_latest(registry)


class _Now(Collector):
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def collect(self) -> Iterator[Metric]:
        """Give each metric once."""
        status = self._desk.status()
        portfolio, carry = status.portfolio, status.carry
        yield _gauge("equity", "Cash plus market value, account currency.", float(portfolio.equity))
        yield _gauge("cash", "Cash, account currency.", float(portfolio.cash))
        yield _gauge("gross", "Market value of all positions without sign.", float(portfolio.gross))
        yield _gauge("risk_at_stops", "Loss from the marks if every stop is hit.", float(portfolio.risk_at_stops))
        yield _gauge("positions", "Open positions.", len(portfolio.positions))
        yield self._orders()
        yield CounterMetricFamily("evil2root_decisions", "Decisions made by the account.", value=carry.decisions)
        yield _gauge("inbox_events", "Events waiting for the kernel.", status.inbox)
        yield _gauge("step_seconds", "The last group of bars, from arrival to commit.", status.step_ms / 1_000)
        if status.feed.last_bar_at is not None:
            age = (status.now - status.feed.last_bar_at).total_seconds()
            yield _gauge("feed_age_seconds", "Time since the last bar closed, by the engine's clock.", age)
        yield _gauge("ready", "1 when it trades.", float(status.phase is Phase.READY))
        yield _gauge("halted", "1 when a person has to resume.", float(carry.breaker.state is BreakerState.HALTED))
        yield _gauge("resident_memory_bytes", "Resident memory of the process.", resident_bytes())
        info = GaugeMetricFamily("evil2root_info", "What runs.", labels=["version", "mode", "broker", "strategy"])
        info.add_metric([status.version, status.mode, status.broker, status.strategy], 1)
        yield info

    def _orders(self) -> Metric:
        family = GaugeMetricFamily("evil2root_open_orders", "Open orders by state.", labels=["state"])
        counted = Counter(order.state for order in self._desk.state.orders.values())
        for state in OrderState:
            if counted[state]:
                family.add_metric([state.value], counted[state])
        return family


def _gauge(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(f"evil2root_{name}", says, value=value)
