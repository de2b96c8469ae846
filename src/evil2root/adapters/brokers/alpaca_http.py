"""Requests to Alpaca.

Facts from Alpaca's reference of the Trading API: keys go in the headers `APCA-API-KEY-ID` and `APCA-API-SECRET-KEY`,
errors are JSON with `code` and `message`, 200 requests a minute are allowed, more are answered with 429.
"""

from collections.abc import Mapping

from pydantic import SecretStr

from evil2root.adapters.brokers.bounded import BoundedHttp, Reply
from evil2root.domain.execution.broker import BrokerUnavailable


class AlpacaHttp:
    """One account's connection."""

    def __init__(self, base_url: str, key: SecretStr, secret: SecretStr) -> None:
        keys = {"APCA-API-KEY-ID": key.get_secret_value(), "APCA-API-SECRET-KEY": secret.get_secret_value()}
        self._http = BoundedHttp("Alpaca", base_url=base_url, secrets=(key, secret), headers=keys)

    async def question(self, path: str, params: Mapping[str, str] | None = None) -> Reply:
        """Ask; a failed question is asked again a few times. Raises `BrokerUnavailable`."""
        return await self._http.question(path, lambda: self._http.once("GET", path, params=params))

    async def command(self, method: str, path: str, body: Mapping[str, str] | None = None) -> Reply:
        """Send something that changes the account, once. Raises `BrokerUnavailable` when no answer came."""
        return await self._http.command(f"{method} {path}", lambda: self._http.once(method, path, json=body))

    def refused(self, reply: Reply, *, what: str) -> BrokerUnavailable:
        """Say that an answer proves nothing, in the venue's own words."""
        return self._http.refused(reply, what=what)

    async def close(self) -> None:
        """Give up connections."""
        await self._http.close()
