"""Keys, and what the words mean here."""

from evil2root.web.format import MINUS, TIMES

KEYS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("Ctrl K", "/"), "Search symbols, decisions and pages"),
    (("g", "o"), "Overview"),
    (("g", "c"), "Charts"),
    (("g", "d"), "Decisions"),
    (("g", "p"), "Positions and orders"),
    (("g", "t"), "Trades"),
    (("g", "y"), "System"),
    (("g", "a"), "Audit log"),
    (("j", "k"), "Next and previous row, or decision"),
    (("Enter",), "Open the row"),
    (("[", "]"), "Previous and next symbol"),
    (("Shift H",), "Halt"),
    (("e",), "Download the list as CSV"),
    (("?",), "This page"),
    (("Esc",), "Close what is open"),
)

_T, _M = TIMES, MINUS

WORDS: tuple[tuple[str, str], ...] = (
    ("R", "A result in multiples of what the entry risked down to its first stop. +2R earned twice the risk."),
    (
        "P(up)",
        (
            "Probability that the price rises over a source's horizon. Today's sources speak by a stated prior, from 0.30 "
            "to 0.70, that no outcome has corrected yet."
        ),
    ),
    (
        "Log-odds",
        f"ln(p ÷ (1 {_M} p)): 0 at one half. Weighted log-odds simply add, so each source's part can be shown.",
    ),
    ("Fused score", f"2 {_T} P(up) {_M} 1 of the pooled sources, from {_M}1 (falls) to +1 (rises)."),
    (
        "ATR",
        (
            "Average true range of 14 bars: how far the price usually moves in one. Stops and targets are set in "
            "multiples of it."
        ),
    ),
    (
        "Stop, target",
        "Prices at which a position is closed to limit a loss, or to take a gain. A stop only ever moves closer.",
    ),
    ("Drawdown", "Fall of equity from its highest close so far."),
    (
        "Loss if every stop is hit",
        f"Sum over the positions of quantity {_T} (last {_M} stop). A gap can make it more.",
    ),
    (
        "Buy and hold",
        (
            "What the same money would be worth, spread equally over the watchlist at each symbol's first close and left "
            "alone, without costs."
        ),
    ),
    (
        "Verdict",
        "The check of a proposal before it is sized. It can say no, or less; it can never enlarge a trade.",
    ),
    (
        "Breaker",
        (
            "The switch above all entries: active, reducing (a rule stopped entries for the day), halted (a person, or a "
            "rule that a person must lift)."
        ),
    ),
    ("Replay", "Recorded history shown as if it happened now. Nothing on a page with this badge is today's market."),
    ("Recompute", "Makes a decision again from its stored inputs and compares every field."),
)
