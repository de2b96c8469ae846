"""StandardScaler and MinMaxScaler as small values: fitted on training rows, kept as JSON beside the model.

The same numbers as scikit-learn's of these names, which would cost a trading process 164 MB to import.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from json import dumps
from typing import Self

import numpy as np
import polars as pl


class Scaling(StrEnum):
    """What a scaler makes of a column."""

    STANDARD = "standard"  # less the mean, over the population's deviation
    MIN_MAX = "min_max"  # the training rows' lowest to 0, their highest to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaler:
    """Offset and scale of each column. Rows of the future can lie outside of [0, 1]: nothing is clipped."""

    kind: Scaling
    columns: tuple[str, ...]
    offset: tuple[float, ...]
    scale: tuple[float, ...]
    """Above zero; 1 for a column that does not vary."""
    rows: int
    """Training rows it was fitted on."""

    def __post_init__(self) -> None:
        if not len(self.columns) == len(self.offset) == len(self.scale):
            msg = f"{len(self.columns)} columns, {len(self.offset)} offsets, {len(self.scale)} scales: give one each."
            raise ValueError(msg)
        if not (np.isfinite((*self.offset, *self.scale)).all() and min(self.scale, default=1.0) > 0.0):
            msg = f"Offsets {self.offset} and scales {self.scale} must be finite, scales above zero."
            raise ValueError(msg)

    @classmethod
    def fitted(cls, training: pl.DataFrame, *, kind: Scaling) -> Self:
        """Fit on the training rows alone; nulls are left out column by column, a column of nothing else is refused."""
        offsets, scales = [], []
        for name in training.columns:
            values = training[name].drop_nulls().to_numpy()
            if not values.size or not np.isfinite(values).all():
                msg = f"{name} has {values.size} values to fit on, all of which must be finite: drop it, or wait for rows."
                raise ValueError(msg)
            if kind is Scaling.STANDARD:
                offset, scale = float(values.mean()), float(values.std())
                spread = 10.0 * np.finfo(np.float64).eps * max(abs(offset), 1e-300) * values.size**0.5
            else:
                offset, scale, spread = float(values.min()), float(values.max() - values.min()), 0.0
            offsets.append(offset)
            scales.append(scale if scale > spread else 1.0)
        return cls(
            kind=kind, columns=tuple(training.columns), offset=tuple(offsets), scale=tuple(scales), rows=training.height
        )

    def scaled(self, table: pl.DataFrame) -> pl.DataFrame:
        """The fitted columns of `table`, scaled; nulls stay null. Raises `ColumnNotFoundError` for one that lacks."""
        return table.select(
            (pl.col(name) - offset) / scale
            for name, offset, scale in zip(self.columns, self.offset, self.scale, strict=True)
        )

    def as_json(self) -> dict[str, object]:
        """What is stored; `of_json` gives back the same value to the last bit."""
        return {
            "kind": self.kind.value,
            "columns": list(self.columns),
            "offset": list(self.offset),
            "scale": list(self.scale),
            "rows": self.rows,
        }

    @classmethod
    def of_json(cls, stored: Mapping[str, object]) -> Self:
        """Read what `as_json` gave. Raises `ValueError` for anything else."""
        match stored:
            case {"kind": str(kind), "columns": [*columns], "offset": [*offset], "scale": [*scale], "rows": int(rows)}:
                return cls(
                    kind=Scaling(kind), columns=tuple(map(str, columns)), offset=tuple(map(_number, offset)),
                    scale=tuple(map(_number, scale)), rows=rows,
                )  # fmt: skip
            case _:
                msg = f"A scaler has kind, columns, offset, scale and rows; this has {', '.join(map(str, stored))}."
                raise ValueError(msg)

    @property
    def hash(self) -> str:
        """Names these very numbers."""
        return sha256(dumps(self.as_json(), sort_keys=True).encode()).hexdigest()[:16]


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"{value!r} is no number."
        raise ValueError(msg)  # noqa: TRY004 - what was stored is wrong, not who calls
    return float(value)
