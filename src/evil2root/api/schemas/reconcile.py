"""Our books beside the broker's, as the API tells them."""

from typing import Literal, Self

from pydantic import Field, StrictBool

from evil2root.api.strict import Body, Words
from evil2root.api.values import Exact, Moment, Out
from evil2root.engine.differences import Comparison


class DifferenceOut(Out):
    """One thing both sides say differently."""

    what: str
    """A symbol, or `cash`."""
    ours: Exact
    theirs: Exact


class ExternalOut(Out):
    """An open order at the broker that is not ours."""

    broker_order_id: str
    client_order_id: str
    symbol: str
    side: str
    kind: str
    left: Exact | None
    price: Exact | None
    created_at: Moment


class FrozenOut(Out):
    """A symbol without entries until a person has looked."""

    symbol: str
    reason: str


class DoubtfulOut(Out):
    """An order of ours whose outcome is unknown."""

    client_order_id: str
    symbol: str
    side: str
    quantity: Exact
    sent_at: Moment | None
    why: str


class ReconcileOut(Out):
    """How the two sides stand."""

    agrees: bool | None
    """None when nothing can be said just now; `unsure` says why."""
    unsure: str
    differences: list[DifferenceOut]
    ignored: dict[str, Exact]
    external: list[ExternalOut]
    frozen: list[FrozenOut]
    doubtful: list[DoubtfulOut]

    @classmethod
    def of(cls, found: Comparison) -> Self:
        """Lay a comparison out."""
        return cls(
            agrees=None if found.unsure else not found.differences,
            unsure=found.unsure,
            differences=[DifferenceOut.model_validate(d) for d in found.differences],
            ignored=dict(found.ignored),
            external=[ExternalOut.model_validate(e) for e in found.external],
            frozen=[FrozenOut(symbol=s, reason=why) for s, why in found.frozen.items()],
            doubtful=[
                DoubtfulOut(
                    client_order_id=o.client_order_id, symbol=o.symbol, side=o.side, quantity=o.quantity,
                    sent_at=o.sent_at, why=o.why_state,
                )
                for o in found.doubtful
            ],
        )  # fmt: skip


class SettleIn(Body):
    """What to do about one difference."""

    what: Words = Field(description="A symbol, or cash.")
    how: Literal["adopt", "close", "ignore"] = Field(
        description="adopt: the broker is right; close: adopt and close; ignore: let it be."
    )
    reason: Words


class ThawIn(Body):
    """Why entries may go on."""

    reason: Words


class ConfirmIn(Body):
    """What was seen at the broker."""

    placed: StrictBool
    reason: Words
