"""TA-Lib without pandas.

Its wheel imports pandas wherever that is installed, only to be able to take its Series. Nothing here hands it one, and
every start would pay for it (0.4 s and 70 MB), so pandas is out of sight while TA-Lib is imported. Import it from here.
"""

import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_UNSEEN = "pandas" not in sys.modules
if _UNSEEN:
    sys.modules["pandas"] = None  # type: ignore[assignment]  # how Python marks what can't be imported
try:
    import talib
finally:
    if _UNSEEN:
        del sys.modules["pandas"]

__all__ = ["bare", "talib"]

P = ParamSpec("P")
T = TypeVar("T")


def bare(function: Callable[P, T]) -> Callable[P, T]:
    """A TA-Lib function without the search for Series among its arguments, a quarter of a moving average's time."""
    found: Callable[P, T] = getattr(function, "__wrapped__", function)
    return found
