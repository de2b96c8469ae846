"""Which account is traded, and at which venue. What a venue needs is imported only when it is the one."""

from evil2root.domain.execution.remote import RemoteBroker
from evil2root.settings import Settings

PAPER = "paper"


def account_of(settings: Settings) -> str:
    """Name the account: paper and real ones live side by side in one database, and never mix."""
    name = settings.broker.replace(":", "-")
    return f"{name}-live" if settings.mode == "live" else name


def remote_broker(settings: Settings) -> RemoteBroker | None:
    """Return the venue out there that the settings name; none for the paper broker, which is played here."""
    if settings.broker == PAPER:
        return None
    from evil2root.adapters.brokers.alpaca import AlpacaBroker  # noqa: PLC0415 - half the start-up time of a paper bot

    alpaca = settings.alpaca
    assert alpaca.api_key is not None, "the settings were checked"
    assert alpaca.api_secret is not None, "the settings were checked"
    return AlpacaBroker(alpaca.base_url, alpaca.api_key, alpaca.api_secret, account=account_of(settings))
