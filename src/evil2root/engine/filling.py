"""What one answer left out, from another: what was found so far, and what of a further answer completes it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl

from evil2root.domain.market.bars import Silence
from evil2root.domain.market.cleaning import Cleaned
from evil2root.domain.market.cleaning.peers import QUORUM_FRAC
from evil2root.domain.market.cleaning.places import on_grid
from evil2root.domain.market.sessions import Sessions
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched, Heard

CONTRADICTED = "quorum"
"""Reason of rows that other sources contradict: each of these is a voice as good as theirs."""


@dataclass(slots=True, kw_only=True)
class Found:
    """What the answers to one question brought so far."""

    asked: frozenset[str]
    """Sources that are not to be asked again."""
    silent: tuple[Silence, ...]
    new: int = 0
    changed: int = 0
    set_aside: int = 0
    believed: list[datetime] = field(default_factory=list)
    fetched_at: datetime
    _judged: list[tuple[Fetched, Cleaned]] = field(default_factory=list)

    @classmethod
    def of(cls, heard: Heard) -> "Found":
        """Begin with what was heard; nothing of it is judged yet."""
        names = {one.source for one in (heard.answer, *heard.peers)} | {one.source for one in heard.silent}
        return cls(asked=frozenset(names), silent=heard.silent, fetched_at=heard.answer.fetched_at)

    def hear(self, more: Heard) -> None:
        """Note who was asked beside them."""
        self.silent += more.silent
        self.asked |= {more.answer.source} | {one.source for one in more.silent}

    def add(self, answer: Fetched, cleaned: Cleaned, *, new: int, changed: int) -> None:
        """Note an answer that was judged and kept."""
        self._judged.append((answer, cleaned))
        self.new, self.changed = self.new + new, self.changed + changed
        self.set_aside += cleaned.quarantined.height
        self.believed += cleaned.good["opened_at"].to_list()

    def voices(self, answer: Fetched, sessions: Sessions) -> Iterator[Fetched]:
        """Yield what was set aside and yet counts for or against a further answer.

        Rows that sources contradict each other about go on to contradict, lest the second is believed where the first
        was not; a row that was doubted for itself counts where the answer tells the same. Days are the same by whatever
        moment either names them.
        """
        asked = on_grid(answer.rows, sessions, answer.interval)
        closes = asked.select("opened_at", other="close").unique("opened_at", keep="first")
        for told, cleaned in self._judged:
            aside = on_grid(cleaned.quarantined, sessions, told.interval)
            rows = aside.join(closes, on="opened_at", how="left")
            is_same = ((pl.col("close") / pl.col("other")).log().abs() <= QUORUM_FRAC).fill_null(value=False)
            counts = rows.filter((pl.col("reason") == CONTRADICTED) | is_same)
            if counts.height:
                yield replace(told, rows=counts.select(RAW_SCHEMA.names()))


def filling(cleaned: Cleaned, stored: pl.DataFrame, lacking: frozenset[datetime]) -> Cleaned:
    """Leave of a further answer the bars that are lacking, their factors on the scale of the stored ones.

    Parameters
    ----------
    stored
        Raw bars with their factors around them. Sources may adjust differently: a bar's factor is taken in proportion to
        that of the nearest bar that both have.
    """
    at = pl.col("opened_at")
    both = stored.select("opened_at", known="factor").join(cleaned.good, on="opened_at").sort("opened_at")
    good = cleaned.good.filter(at.is_in(list(lacking))).sort("opened_at")
    if both.height:
        scale = both.select("opened_at", scale=pl.col("known") / pl.col("factor"))
        scaled = good.join_asof(scale, on="opened_at", strategy="nearest")
        good = scaled.with_columns(factor=pl.col("factor") * pl.col("scale")).select(good.columns)
    first, last = min(lacking), max(lacking)
    opened = set(good["opened_at"].to_list())
    return replace(
        cleaned, good=good, rescale=1.0, repaired=cleaned.repaired & opened, agreed=cleaned.agreed & opened,
        quarantined=cleaned.quarantined.filter(at.is_null() | at.is_between(first, last)),
        issues=tuple(one for one in cleaned.issues if one.start <= last and one.end >= first),
    )  # fmt: skip
