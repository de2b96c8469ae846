"""What a live start says before it trades: what it will do, with whose money, and within which limits."""

from collections.abc import Iterator
from dataclasses import fields

from evil2root.domain.kernel.policy import Policy
from evil2root.settings import Settings


def live_words(settings: Settings, policy: Policy) -> Iterator[str]:
    """Give the lines: broker and account, strategy, symbols, size, exits, and each limit that is on or off."""
    yield "LIVE: orders of this process move real money."
    yield f"  broker    {settings.broker}, account {policy.account} in {policy.currency}"
    yield f"  prices    {', '.join(settings.market_data)}, bars of {policy.interval}"
    yield f"  strategy  {policy.strategy.name} on {', '.join(policy.instruments)}"
    yield f"  size      {policy.sizing!r}"
    yield f"  exits     {policy.exits!r}"
    yield "  limits    " + ", ".join(_limits(policy))
    yield f"  halt      evil2root halt --flatten, the page, the API, or a file HALT in {settings.data_folder}"


def _limits(policy: Policy) -> Iterator[str]:
    for field in fields(policy.limits):
        value = getattr(policy.limits, field.name)
        yield f"{field.name} {'off' if value is None else value}"
