"""Our books beside the broker's, as a person sees them and decides about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from evil2root.domain.book.external import External
from evil2root.domain.book.orders import Order
from evil2root.domain.kernel.actions import Reply
from evil2root.domain.kernel.events import Settle


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """One thing our books and the broker's say differently."""

    what: str
    ours: Decimal
    theirs: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How the two sides stand."""

    differences: tuple[Divergence, ...]
    unsure: str
    """Why nothing can be said about differences now; empty when it can."""
    ignored: Mapping[str, Decimal]
    """What the broker has more, by symbol or `cash`, and a person said should be let be."""
    external: tuple[External, ...]
    """Open orders at the broker that are not ours."""
    frozen: Mapping[str, str]
    """Symbols without entries, each with the reason."""
    doubtful: tuple[Order, ...]
    """Orders of ours whose outcome is unknown."""


class Reconciling(Protocol):
    """What a person may see and decide. Commands are audited, and answer with a `Reply`."""

    async def compare(self) -> Comparison: ...
    async def settle(self, what: str, how: Settle, *, by: str, origin: str, reason: str) -> Reply: ...
    async def thaw(self, symbol: str, *, by: str, origin: str, reason: str) -> Reply: ...
    async def confirm(self, client_order_id: str, *, placed: bool, by: str, origin: str, reason: str) -> Reply: ...
