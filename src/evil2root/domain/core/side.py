"""Buy or sell."""

from enum import StrEnum


class Side(StrEnum):
    """The direction of an order, a fill or a proposal. A long position was bought, a short one sold."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        """The side that undoes this one."""
        return Side.SELL if self is Side.BUY else Side.BUY
