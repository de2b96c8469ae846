"""How symbols traded lately, for the venue that is played here: nothing later than the last close."""

from collections.abc import Mapping

from evil2root.domain.core.money import exact
from evil2root.domain.execution.costs import Conditions, Slippage
from evil2root.domain.execution.venue import NO_CONDITIONS
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.state import State
from evil2root.domain.risk.company import volatility
from evil2root.domain.risk.recent import Recent


def conditions(recent: Recent | None, state: State, policy: Policy) -> Mapping[str, Conditions]:
    """Return them by symbol that has a working order, where the slippage rests on them and enough bars are known."""
    if policy.costs.slippage is not Slippage.IMPACT or recent is None:
        return NO_CONDITIONS
    found = {}
    for symbol in {order.symbol for order in state.orders.values()}:
        moves, volume = volatility(recent, symbol, bars_a_year=1.0), recent.average_volume(symbol)
        if moves is not None and volume is not None and volume > 0 and policy.instruments[symbol].has_volume:
            average = exact(volume, what="Average volume")
            found[symbol] = Conditions(volatility=moves, average_volume=average)
    return found
