"""The comparison with the broker, as a test wants it."""

from dataclasses import dataclass, field

from evil2root.domain.kernel import actions as do
from evil2root.domain.kernel.events import Settle
from evil2root.engine.differences import Comparison

NOTHING = Comparison(differences=(), unsure="", ignored={}, external=(), frozen={}, doubtful=())


@dataclass(slots=True, kw_only=True)
class FakeReconciling:
    """Says what it is told to say, and remembers what was asked."""

    found: Comparison = NOTHING
    asked: list[tuple[str, ...]] = field(default_factory=list)

    async def compare(self) -> Comparison:
        return self.found

    async def settle(self, what: str, how: Settle, *, by: str, origin: str, reason: str) -> do.Reply:
        self.asked.append((how.value, what, by, origin, reason))
        known = any(d.what == what for d in self.found.differences)
        return do.Reply(done=known, says="The books agree." if known else f"{what} does not differ.")

    async def thaw(self, symbol: str, *, by: str, origin: str, reason: str) -> do.Reply:
        self.asked.append(("thaw", symbol, by, origin, reason))
        return do.Reply(done=symbol in self.found.frozen, says="Thawed, or not frozen.")

    async def confirm(self, client_order_id: str, *, placed: bool, by: str, origin: str, reason: str) -> do.Reply:
        self.asked.append(("placed" if placed else "not placed", client_order_id, by, origin, reason))
        return do.Reply(
            done=any(o.client_order_id == client_order_id for o in self.found.doubtful), says="Confirmed, or not."
        )
