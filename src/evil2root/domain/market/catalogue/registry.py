"""One registry for every indicator, whoever computes it."""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from types import MappingProxyType

from evil2root.domain.market.catalogue.candles import CANDLES
from evil2root.domain.market.catalogue.cycles import CYCLES
from evil2root.domain.market.catalogue.flow import FLOW
from evil2root.domain.market.catalogue.measures import MEASURES
from evil2root.domain.market.catalogue.momentum import MOMENTUM
from evil2root.domain.market.catalogue.overlap import OVERLAP
from evil2root.domain.market.catalogue.states import STATES
from evil2root.domain.market.catalogue.statistic import STATISTIC
from evil2root.domain.market.features import FEATURES_VERSION
from evil2root.domain.market.indicators import INDICATORS, Indicator

BY_TALIB: tuple[Indicator, ...] = (
    *INDICATORS,
    *OVERLAP,
    *MOMENTUM,
    *FLOW,
    *STATISTIC,
    *MEASURES,
    *STATES,
    *CYCLES,
    *CANDLES,
)


CATALOGUE_VERSION = "1"
"""Raised by hand when a formula changes without changing its name or parameters."""

CATALOGUE_HASH = sha256(
    "\n".join((FEATURES_VERSION, CATALOGUE_VERSION, *(indicator.formula for indicator in BY_TALIB))).encode()
).hexdigest()[:16]
"""Names the set of formulas: whoever stores values of it stores this beside them."""


class Registry:
    """Indicators by name. A name is that of a column (`willr_14`), or of a family (`bollinger`: all its columns)."""

    def __init__(self, indicators: Iterable[Indicator]) -> None:
        self._all = tuple(indicators)
        found: dict[str, list[Indicator]] = {}
        columns: dict[str, Indicator] = {}
        for indicator in self._all:
            found.setdefault(indicator.name, []).append(indicator)
            for column in indicator.columns:
                if column.name in columns:
                    msg = f"Two indicators make a column {column.name}: rename one."
                    raise ValueError(msg)
                columns[column.name] = indicator
        self._by_name: Mapping[str, tuple[Indicator, ...]] = MappingProxyType(
            {name: tuple(indicators) for name, indicators in found.items()}
            | {name: (indicator,) for name, indicator in columns.items() if name not in found}
        )

    @property
    def all(self) -> tuple[Indicator, ...]:
        """Every indicator, in the order given."""
        return self._all

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that `named` knows."""
        return tuple(self._by_name)

    def __contains__(self, name: str) -> bool:
        """Does anybody know this name?"""
        return name in self._by_name

    def named(self, name: str) -> tuple[Indicator, ...]:
        """The indicators of a name; raises `KeyError` for one that nobody knows."""
        return self._by_name[name]

    def having(self, names: Iterable[str]) -> tuple[Indicator, ...]:
        """The indicators of several names, each once, in the order asked for; raises `KeyError`."""
        return tuple(dict.fromkeys(indicator for name in names for indicator in self.named(name)))


TALIB_REGISTRY = Registry(BY_TALIB)
