"""Orders at the venue that somebody else placed."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from evil2root.domain.core.side import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """An open order that is not ours: it is shown and counted, never touched."""

    broker_order_id: str
    client_order_id: str
    """As whoever placed it wrote it; empty when there is none."""
    symbol: str
    side: Side
    kind: str
    """As the venue writes it."""
    left: Decimal | None
    """Units that may still fill; none for an order in money."""
    price: Decimal | None
    created_at: datetime
