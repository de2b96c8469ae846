"""Ids are functions of what they name, so that the same events give the same ids after a crash or in a replay."""

from datetime import datetime
from uuid import UUID, uuid5

_ORDERS = UUID("6d7c6f0e-6f0a-5a53-9d2c-2f1f1d0c6b11")
_EXECUTIONS = UUID("0f8a2f4e-5b8e-5d0c-8a55-6e0c7f5a9b42")
_TRANSACTIONS = UUID("b7b1b0f2-1f7f-5a0e-9c39-3a4a4f8f7d93")


def client_order_id(  # noqa: PLR0913 - the six parts are the id
    *, account: str, strategy: str, symbol: str, bar: datetime, leg: str, attempt: int
) -> str:
    """Name an order by what it is for. `attempt` rises only by a person or a new decision."""
    return str(uuid5(_ORDERS, f"{account}|{strategy}|{symbol}|{bar.isoformat()}|{leg}|{attempt}"))


def execution_id(*, client_order_id: str, bar: datetime, part: int) -> str:
    """Name a simulated execution: the n-th part of an order filled on a bar."""
    return str(uuid5(_EXECUTIONS, f"{client_order_id}|{bar.isoformat()}|{part}"))


def transaction_id(*, ref: str) -> str:
    """Name a ledger transaction by what it books, so that booking twice collides."""
    return str(uuid5(_TRANSACTIONS, ref))


def decision_id(sequence: int) -> str:
    """Name the n-th decision of an account, as people say it: `D-2419`."""
    return f"D-{sequence}"
