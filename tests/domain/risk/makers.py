"""Proposals, exposures and companies with sensible values; a test says only what it is about."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from evil2root.domain.book.protection import Protect
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import Price
from evil2root.domain.core.side import Side
from evil2root.domain.decision.proposal import Proposal
from evil2root.domain.risk.exposure import Company, Exposure
from tests.builders import DAY_ONE

SHARE = instrument_for("AAPL")
FIVE_OFF = Protect(stop=Decimal(5), target=None, relative=False)


def a_proposal(
    *, side: Side = Side.BUY, entry: str = "100", stop: str | None = "95", target: str | None = None
) -> Proposal:
    return Proposal(
        decision_id="D-1", symbol="AAPL", side=side, entry=Price(Decimal(entry)),
        stop=None if stop is None else Price(Decimal(stop)), target=None if target is None else Price(Decimal(target)),
        protect=Protect(stop=None if stop is None else abs(Decimal(entry) - Decimal(stop)), target=None, relative=False),
        made_at=DAY_ONE, good_until=DAY_ONE + timedelta(minutes=1),
    )  # fmt: skip


def a_company(**changes: Any) -> Company:
    """Nothing held, a calm month."""
    values: dict[str, Any] = {
        "correlation": Decimal(0), "cluster": (), "cluster_used": Decimal(0), "held": (0.0,) * 60, "unit": (0.0,) * 60
    }  # fmt: skip
    return Company(**{**values, **changes})


def exposure(**changes: Any) -> Exposure:
    values: dict[str, Any] = {
        "equity": Decimal(100_000), "cash": Decimal(100_000), "cash_in_flight": Decimal(0), "gross": Decimal(0),
        "symbol": Decimal(0), "positions": 0, "day_loss_frac": Decimal(0), "day_volume": Decimal(10_000),
        "fee_frac": Decimal("0.001"), "slippage_frac": Decimal("0.0005"), "average_volume": Decimal(20_000),
        "last_price": Decimal(100), "previous_close": Decimal(100), "company": a_company(),
    }  # fmt: skip
    return Exposure(**{**values, **changes})
