"""What came of a decision: the card beside its story."""

import json
from dataclasses import dataclass

from evil2root.domain.book.positions import Position
from evil2root.domain.kernel.record import Decision
from evil2root.engine.desk import Desk
from evil2root.engine.reads import Fate
from evil2root.web import format as f
from evil2root.web.views.common import Badge, Delta, Place
from evil2root.web.views.positions import r_now
from evil2root.web.views.symbols import precision
from evil2root.web.views.trades import reason_word

OUTCOME_BARS_BEFORE = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeCard:
    """What came of it."""

    badge: Badge
    figure: Delta | None
    says: str
    pairs: tuple[tuple[str, str], ...]
    chart_src: str
    marks: str
    chart_words: str
    interval: str


def outcome_card(desk: Desk, decision: Decision, fate: Fate, place: Place) -> OutcomeCard:
    """Build the card, with the bars around the decision for its chart."""
    symbol, trade, position = decision.symbol, fate.trade, fate.position
    chart = f"/api/v1/symbols/{f.path(symbol)}/bars?interval={decision.interval.value}&limit={OUTCOME_BARS_BEFORE}"
    if trade is not None:
        end = min(trade.exit_time + 6 * decision.interval.length, desk.status().now)
        chart += f"&end={f.path(end.isoformat().replace('+00:00', 'Z'))}"
    elif position is None:
        chart += f"&end={f.path((decision.bar.closed_at + 12 * decision.interval.length).isoformat().replace('+00:00', 'Z'))}"
    badge, figure, says, pairs = _outcome_words(decision, fate, place)
    return OutcomeCard(
        badge=badge, figure=figure, says=says, pairs=pairs, chart_src=chart, interval=decision.interval.value,
        marks=_marks(desk, decision, fate), chart_words=f"Bars of {symbol} around the decision, with entry, stop and target",
    )  # fmt: skip


def _outcome_words(
    decision: Decision, fate: Fate, place: Place
) -> tuple[Badge, Delta | None, str, tuple[tuple[str, str], ...]]:
    symbol, trade, position = decision.symbol, fate.trade, fate.position
    if trade is not None:
        held = f.lasted(trade.exit_time - trade.entry_time)
        badge = Badge(label=f"Closed after {held}", tone="mute", glyph="check")
        result = f", {f.multiple(trade.r)}" if trade.r is not None else ""
        pairs = (
            ("Entry", place.price(symbol, round(trade.entry_price, 6))),
            ("Exit", place.price(symbol, round(trade.exit_price, 6))),
            ("Why it ended", reason_word(trade.exit_reason)),
            ("Fees", place.money(trade.fees)),
        )
        return badge, place.gain(trade.pnl), f"after fees{result}", pairs
    if position is not None:
        return _open_words(position, place)
    if decision.order_ids and decision.wants == "exit":
        word = "Filled" if fate.fills else "Working"
        return Badge(label=word, tone="good" if fate.fills else "info", glyph="check" if fate.fills else "clock"), None, \
            "This decision closed a position; its result stands with the decision that opened it.", ()  # fmt: skip
    said = "Nothing was bought or sold. The bars since show what would have come of it."
    return Badge(label="No trade", tone="mute", glyph="minus"), None, said, ()


def _open_words(position: Position, place: Place) -> tuple[Badge, Delta, str, tuple[tuple[str, str], ...]]:
    symbol = position.symbol
    mark = place.marks.get(symbol, position.average_price)
    r = r_now(position, mark)
    result = f", {f.multiple(r)}" if r is not None else ""
    held = f.lasted(place.now - position.opened_at)
    pairs = (
        ("Stop", place.price(symbol, position.stop) if position.stop is not None else "none"),
        ("Target", place.price(symbol, position.target) if position.target is not None else "none"),
        ("Held", f.quantity(position.size)),
        ("Best price", place.price(symbol, position.best_price) if position.best_price is not None else "not yet"),
    )
    badge = Badge(label=f"Open, {held}", tone="info", glyph="clock")
    return (
        badge,
        place.gain(position.unrealised(mark, rate=place.rates.get(symbol, position.entry_rate))),
        f"unrealised{result}; last {place.price(symbol, mark)}",
        pairs,
    )


def _marks(desk: Desk, decision: Decision, fate: Fate) -> str:
    trade, position, proposal = fate.trade, fate.position, decision.proposal
    marks: list[dict[str, object]] = []
    levels = None
    if trade is not None:
        marks = [
            {"at": trade.entry_time.isoformat(), "side": trade.side.value, "tone": "flat", "text": ""},
            {
                "at": trade.exit_time.isoformat(),
                "side": trade.side.opposite.value,
                "tone": f.tone(trade.pnl),
                "text": "",
            },
        ]
        levels = {"entry": float(trade.entry_price), "stop": None, "target": None}
    elif position is not None:
        marks = [{"at": position.opened_at.isoformat(), "side": position.side.value, "tone": "flat", "text": ""}]
        levels = {"entry": float(position.average_price), "stop": None, "target": None}
    elif proposal is not None:
        levels = {"entry": float(proposal.entry), "stop": None, "target": None}
    if levels is not None:
        guards = position or proposal
        if guards is not None:
            levels["stop"] = None if guards.stop is None else float(guards.stop)
            levels["target"] = None if guards.target is None else float(guards.target)
    if not marks and decision.side is not None:
        marks = [{"at": decision.bar.opened_at.isoformat(), "side": decision.side.value, "tone": "flat", "text": ""}]
    return json.dumps(
        {
            "trades": marks,
            "position": levels,
            "precision": precision(desk, decision.symbol, decision.bar.close),
            "hasVolume": False,
        }
    )
