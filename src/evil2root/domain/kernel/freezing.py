"""Symbols in which something happened that the books can't explain: no entries until a person has looked."""

from evil2root.domain.kernel.actions import Park, Reply
from evil2root.domain.kernel.events import ExternalSeen, OddArrived, ThawAsked
from evil2root.domain.kernel.state import Turn


def freeze(turn: Turn, symbol: str, why: str) -> None:
    """Let no entry into a symbol until a person says so. The first reason stays."""
    frozen = turn.state.carry.frozen
    if symbol in turn.policy.instruments and symbol not in frozen:
        turn.carry(frozen={**frozen, symbol: why})


def set_aside(  # noqa: PLR0913 - the columns of the record
    turn: Turn, kind: str, *, reason: str, payload: str, key: str, symbol: str | None
) -> None:
    """Park what was told, once for each key, and freeze the symbol that it is about."""
    turn.do(Park(kind=kind, reason=reason, payload=payload, at=turn.at, key=key))
    if symbol is not None:
        freeze(turn, symbol, f"{kind}: {reason}")


def odd_arrived(turn: Turn, event: OddArrived) -> None:
    """Set aside what the venue told and nobody can make sense of."""
    set_aside(turn, event.kind, reason=event.reason, payload=event.payload, key=event.key, symbol=event.symbol)


def external_seen(turn: Turn, event: ExternalSeen) -> None:
    """Remember the orders at the venue that are not ours."""
    seen = {one.broker_order_id: one for one in event.orders}
    if seen != turn.state.carry.external:
        turn.carry(external=seen)


def thaw_asked(turn: Turn, event: ThawAsked) -> None:
    """Let entries into a symbol again."""
    frozen = turn.state.carry.frozen
    if event.symbol not in frozen:
        turn.do(Reply(done=False, says=f"{event.symbol} is not frozen."))
        return
    turn.carry(frozen={symbol: why for symbol, why in frozen.items() if symbol != event.symbol})
    turn.do(Reply(done=True, says=f"Entries into {event.symbol} are allowed again."))
