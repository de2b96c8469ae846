"""What each candlestick pattern is, once more: see `reference_candles.py`."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from evil2root.domain.market.indicators import Floats
from tests.domain.market.reference import Bars, Reference
from tests.domain.market.reference_candles import Candles, Flags, about, bear, bull, signed

Pattern = Callable[[Candles], Floats]


def engulfing(p: Candles) -> Floats:
    """80 where one end of the two bodies is common."""
    up = p.white & p[1].black & (p.c >= p[1].o) & (p.o <= p[1].c) & ~((p.c == p[1].o) & (p.o == p[1].c))
    down = p.black & p[1].white & (p.o >= p[1].c) & (p.c <= p[1].o) & ~((p.o == p[1].c) & (p.c == p[1].o))
    share = np.where((p.o != p[1].c) & (p.c != p[1].o), 1.0, 0.8)
    return share * signed(up, down)


def held(p: Candles, small: Flags) -> Floats:
    """A small body inside a long one: against its colour; 80 where one end is common."""
    inside = (p.top <= p[1].top) & (p.foot >= p[1].foot)
    return -p[1].colour * np.where(p.is_within(p[1]), 100.0, 80.0) * (p[1].is_long & small & inside)


def hammered(p: Candles) -> Flags:
    return p.is_short & (p.lower > p.body) & p.is_shaven_above


def shot(p: Candles) -> Flags:
    return p.is_short & (p.upper > p.body) & p.is_shaven_below


def star(p: Candles, middle: Flags, *, rising: bool, share: float) -> Floats:
    small = p[2].is_long & middle & (p.body > p.usual_body)
    if rising:
        return bull(small, p[2].black, p[1].is_below(p[2]), p.white, p.c > p[2].c + share * p[2].body)
    return bear(small, p[2].white, p[1].is_above(p[2]), p.black, p.c < p[2].c - share * p[2].body)


def soldiers(p: Candles) -> Floats:
    steps = [
        (q.o > r.o) & (q.o <= r.c + r.near) & (q.c > r.c) & (q.body > r.body - r.far)
        for q, r in ((p[1], p[2]), (p, p[1]))
    ]
    each = [q.white & q.is_shaven_above for q in (p, p[1], p[2])]
    return bull(*steps, *each, p.body > p.usual_body)


def crows(p: Candles) -> Floats:
    steps = [(q.o < r.o) & (q.o > r.c) & (q.c < r.c) for q, r in ((p[1], p[2]), (p, p[1]))]
    each = [q.black & q.is_shaven_below for q in (p, p[1], p[2])]
    return bear(*steps, *each, p[3].white, p[3].h > p[2].c)


def identical(p: Candles) -> Floats:
    steps = [about(q.o, r.c, r.equal) & (q.c < r.c) for q, r in ((p[1], p[2]), (p, p[1]))]
    return bear(*steps, *(q.black & q.is_shaven_below for q in (p, p[1], p[2])))


def abandoned(p: Candles) -> Floats:
    alone = p[2].is_long & p[1].is_doji & (p.body > p.usual_body)
    up = alone & p[2].black & p.white & (p.c > p[2].c + 0.3 * p[2].body) & (p[1].h < p[2].l) & (p.l > p[1].h)
    down = alone & p[2].white & p.black & (p.c < p[2].c - 0.3 * p[2].body) & (p[1].l > p[2].h) & (p.h < p[1].l)
    return signed(up, down)


def three_stars(p: Candles) -> Floats:
    """All three held against what was usual before the first."""
    dojis = (p.body <= p[2].tenth) & (p[1].body <= p[2].tenth) & (p[2].body <= p[2].tenth)
    down = dojis & p[1].is_above(p[2]) & (p.top < p[1].top)
    return signed(dojis & p[1].is_below(p[2]) & (p.foot > p[1].foot), down)


def advance_block(p: Candles) -> Floats:
    steps = [(q.o > r.o) & (q.o <= r.c + r.near) & (q.c > r.c) for q, r in ((p[1], p[2]), (p, p[1]))]
    weak = (p[1].body < p[2].body - p[2].far) & (p.body < p[1].body + p[1].near)
    weak |= p.body < p[1].body - p[1].far
    long_shadow = (p.upper > p.usual_shadow) | (p[1].upper > p[1].usual_shadow)
    weak |= (p.body < p[1].body) & (p[1].body < p[2].body) & long_shadow
    weak |= (p.body < p[1].body) & (p.upper > p.body)
    return bear(*steps, p.white, p[1].white, p[2].white, p[2].is_long, p[2].upper < p[2].usual_shadow, weak)


def stalled(p: Candles) -> Floats:
    rises = p.white & p[1].white & p[2].white & (p.c > p[1].c) & (p[1].c > p[2].c)
    second = p[1].is_long & p[1].is_shaven_above & (p[1].o > p[2].o) & (p[1].o <= p[2].c + p[2].near)
    return bear(rises, p[2].is_long, second, p.is_short, p.o >= p[1].c - p.body - p[1].near)


def line_strike(p: Candles) -> Floats:
    alike = (p[3].colour == p[2].colour) & (p[2].colour == p[1].colour) & (p.colour == -p[1].colour)
    for q, r in ((p[2], p[3]), (p[1], p[2])):
        alike &= (q.o >= r.foot - r.near) & (q.o <= r.top + r.near)
    up = p[1].white & (p[1].c > p[2].c) & (p[2].c > p[3].c) & (p.o > p[1].c) & (p.c < p[3].o)
    down = p[1].black & (p[1].c < p[2].c) & (p[2].c < p[3].c) & (p.o < p[1].c) & (p.c > p[3].o)
    return signed(alike & up, alike & down)


def breakaway(p: Candles) -> Floats:
    alike = p[4].is_long & (p[4].colour == p[3].colour) & (p[3].colour == p[1].colour) & (p[1].colour == -p.colour)
    falls = [(q.h < r.h) & (q.l < r.l) for q, r in ((p[2], p[3]), (p[1], p[2]))]
    rises = [(q.h > r.h) & (q.l > r.l) for q, r in ((p[2], p[3]), (p[1], p[2]))]
    up = alike & p[4].black & p[3].is_below(p[4]) & falls[0] & falls[1] & (p.c > p[3].o) & (p.c < p[4].c)
    down = alike & p[4].white & p[3].is_above(p[4]) & rises[0] & rises[1] & (p.c < p[3].o) & (p.c > p[4].c)
    return signed(up, down)


def swallowed(p: Candles) -> Floats:
    shaven = p[3].is_shaven & p[2].is_shaven
    third = p[1].is_below(p[2]) & (p[1].upper > p[1].tenth) & (p[1].h > p[2].c)
    return bull(p.black, p[1].black, p[2].black, p[3].black, shaven, third, p.h > p[1].h, p.l < p[1].l)


def side_by_side(p: Candles) -> Floats:
    alike = p.white & p[1].white & about(p.body, p[1].body, p[1].near) & about(p.o, p[1].o, p[1].equal)
    return signed(alike & p[1].is_above(p[2]) & p.is_above(p[2]), alike & p[1].is_below(p[2]) & p.is_below(p[2]))


def kicks(p: Candles) -> Flags:
    marubozu = p.is_long & p.is_shaven & p[1].is_long & p[1].is_shaven & (p.colour == -p[1].colour)
    made: Flags = marubozu & np.where(p[1].black, p.l > p[1].h, p.h < p[1].l)
    return made


def ladder(p: Candles) -> Floats:
    falls = [q.black & r.black & (q.o < r.o) & (q.c < r.c) for q, r in ((p[3], p[4]), (p[2], p[3]))]
    return bull(*falls, p[1].black, p[1].upper > p[1].tenth, p.white, p.o > p[1].o, p.c > p[1].h)


def hold(p: Candles) -> Floats:
    """Mat hold: three small ones that give back less than half of a long white one."""
    small = p[3].is_short & p[2].is_short & p[1].is_short
    least = p[4].c - 0.5 * p[4].body
    inside = (p[2].foot < p[4].c) & (p[1].foot < p[4].c) & (p[2].foot > least) & (p[1].foot > least)
    falls = p[3].is_above(p[4]) & (p[2].top < p[3].o) & (p[1].top < p[2].top)
    ends = (p.o > p[1].c) & (p.c > np.maximum.reduce((p[3].h, p[2].h, p[1].h)))
    return bull(p[4].is_long, small, p[4].white, p[3].black, p.white, inside, falls, ends)


def three_methods(p: Candles) -> Floats:
    way, small = p[4].colour, (p[1], p[2], p[3])
    inside = [q.is_short & (q.colour == -way) & (q.foot < p[4].h) & (q.top > p[4].l) for q in small]
    falls = (way * p[2].c < way * p[3].c) & (way * p[1].c < way * p[2].c)
    ends = (p.colour == way) & p.is_long & (way * p.o > way * p[1].c) & (way * p.c > way * p[4].c)
    return way * bull(p[4].is_long, *inside, falls, ends)


def tasuki(p: Candles) -> Floats:
    alike = np.abs(p[1].body - p.body) < p[1].near
    up = (
        p[1].is_above(p[2]) & p[1].white & p.black & (p.o < p[1].c) & (p.o > p[1].o) & (p.c < p[1].o) & (p.c > p[2].top)
    )
    down = p[1].is_below(p[2]) & p[1].black & p.white & (p.o < p[1].o) & (p.o > p[1].c) & (p.c > p[1].o)
    return signed(alike & up, alike & down & (p.c < p[2].foot))


def gap_closed(p: Candles) -> Floats:
    alike = (p[2].colour == p[1].colour) & (p.colour == -p[1].colour)
    inside = (p.o < p[1].top) & (p.o > p[1].foot) & (p.c < p[2].top) & (p.c > p[2].foot)
    gap = (p[2].white & p[1].is_above(p[2])) | (p[2].black & p[1].is_below(p[2]))
    return p[2].colour * bull(alike, inside, gap)


def confirmed(p: Candles, found: Floats, *, first: int) -> Floats:
    """And twice as much where one of the next three bars closes beyond the inner bar, once."""
    made, open_since = np.zeros(found.size), -9
    for row in range(first - 3, found.size):
        if row >= 0 and found[row]:
            open_since = row
            made[row] = found[row]
        elif open_since >= 0 and row <= open_since + 3:
            way = found[open_since]
            through = p.c[row] > p.h[open_since - 1] if way > 0.0 else p.c[row] < p.l[open_since - 1]
            made[row] = 2.0 * way if through else 0.0
            open_since = -9 if through else open_since
    return made


def hikkake(p: Candles) -> Floats:
    inner = (p[1].h < p[2].h) & (p[1].l > p[2].l)
    found = signed(inner & (p.h < p[1].h) & (p.l < p[1].l), inner & (p.h > p[1].h) & (p.l > p[1].l))
    return confirmed(p, found, first=5)


def hikkake_changed(p: Candles) -> Floats:
    inner = (p[2].h < p[3].h) & (p[2].l > p[3].l) & (p[1].h < p[2].h) & (p[1].l > p[2].l)
    up = inner & (p.h < p[1].h) & (p.l < p[1].l) & (p[2].c <= p[2].l + p[2].near)
    down = inner & (p.h > p[1].h) & (p.l > p[1].l) & (p[2].c >= p[2].h - p[2].near)
    return confirmed(p, signed(up, down), first=10)


PATTERNS: Mapping[str, tuple[int, Pattern]] = {
    "cdl2crows": (12, lambda p: bear(
        p[2].white, p[2].is_long, p[1].black, p[1].is_above(p[2]), p.black, p.o < p[1].o, p.o > p[1].c,
        p.c > p[2].o, p.c < p[2].c,
    )),
    "cdl3blackcrows": (13, crows),
    "cdl3inside": (12, lambda p: -p[2].colour * bull(
        p[2].is_long, p[1].is_not_long, p[1].is_within(p[2]), p.colour == -p[2].colour,
        np.where(p[2].white, p.c < p[2].o, p.c > p[2].o),
    )),
    "cdl3linestrike": (8, line_strike),
    "cdl3outside": (3, lambda p: signed(
        p[1].white & p[2].black & (p[1].c > p[2].o) & (p[1].o < p[2].c) & (p.c > p[1].c),
        p[1].black & p[2].white & (p[1].o > p[2].c) & (p[1].c < p[2].o) & (p.c < p[1].c),
    )),
    "cdl3starsinsouth": (12, lambda p: bull(
        p[2].black, p[1].black, p.black, p[2].is_long, p[2].lower > p[2].body, p[1].body < p[2].body,
        p[1].o > p[2].c, p[1].o <= p[2].h, p[1].l < p[2].c, p[1].l >= p[2].l, p[1].lower > p[1].tenth,
        p.is_short, p.is_shaven, p.l > p[1].l, p.h < p[1].h,
    )),
    "cdl3whitesoldiers": (12, soldiers),
    "cdlabandonedbaby": (12, abandoned),
    "cdladvanceblock": (12, advance_block),
    "cdlbelthold": (10, lambda p: signed(
        p.is_long & p.white & p.is_shaven_below, p.is_long & p.black & p.is_shaven_above
    )),
    "cdlbreakaway": (14, breakaway),
    "cdlclosingmarubozu": (10, lambda p: signed(
        p.is_long & p.white & p.is_shaven_above, p.is_long & p.black & p.is_shaven_below
    )),
    "cdlconcealbabyswall": (13, swallowed),
    "cdlcounterattack": (11, lambda p: p.colour * bull(
        p.colour == -p[1].colour, p.is_long, p[1].is_long, about(p.c, p[1].c, p[1].equal)
    )),
    "cdldarkcloudcover": (11, lambda p: bear(
        p[1].white, p[1].is_long, p.black, p.o > p[1].h, p.c > p[1].o, p.c < p[1].c - 0.5 * p[1].body
    )),
    "cdldoji": (10, lambda p: bull(p.is_doji)),
    "cdldojistar": (11, lambda p: -p[1].colour * bull(
        p[1].is_long, p.is_doji, (p[1].white & p.is_above(p[1])) | (p[1].black & p.is_below(p[1]))
    )),
    "cdldragonflydoji": (10, lambda p: bull(p.is_doji, p.is_shaven_above, p.lower > p.tenth)),
    "cdlengulfing": (2, engulfing),
    "cdleveningdojistar": (12, lambda p: star(p, p[1].is_doji, rising=False, share=0.3)),
    "cdleveningstar": (12, lambda p: star(p, p[1].is_not_long, rising=False, share=0.3)),
    "cdlgapsidesidewhite": (7, side_by_side),
    "cdlgravestonedoji": (10, lambda p: bull(p.is_doji, p.is_shaven_below, p.upper > p.tenth)),
    "cdlhammer": (11, lambda p: bull(hammered(p), p.foot <= p[1].l + p[1].near)),
    "cdlhangingman": (11, lambda p: bear(hammered(p), p.foot >= p[1].h - p[1].near)),
    "cdlharami": (11, lambda p: held(p, p.is_not_long)),
    "cdlharamicross": (11, lambda p: held(p, p.is_doji)),
    "cdlhighwave": (10, lambda p: p.colour * bull(p.is_short, p.upper > 2.0 * p.body, p.lower > 2.0 * p.body)),
    "cdlhikkake": (5, hikkake),
    "cdlhikkakemod": (10, hikkake_changed),
    "cdlhomingpigeon": (11, lambda p: bull(p[1].black, p.black, p[1].is_long, p.is_not_long, p.o < p[1].o, p.c > p[1].c)),
    "cdlidentical3crows": (12, identical),
    "cdlinneck": (11, lambda p: bear(
        p[1].black, p[1].is_long, p.white, p.o < p[1].l, p.c <= p[1].c + p[1].equal, p.c >= p[1].c
    )),
    "cdlinvertedhammer": (11, lambda p: bull(shot(p), p.is_below(p[1]))),
    "cdlkicking": (11, lambda p: 100.0 * p.colour * kicks(p)),
    "cdlkickingbylength": (11, lambda p: 100.0 * np.where(p.body > p[1].body, p.colour, p[1].colour) * kicks(p)),
    "cdlladderbottom": (14, ladder),
    "cdllongleggeddoji": (10, lambda p: bull(p.is_doji, (p.upper > p.body) | (p.lower > p.body))),
    "cdllongline": (10, lambda p: p.colour * bull(p.is_long, p.upper < p.usual_shadow, p.lower < p.usual_shadow)),
    "cdlmarubozu": (10, lambda p: p.colour * bull(p.is_long, p.is_shaven)),
    "cdlmatchinglow": (6, lambda p: bull(p[1].black, p.black, about(p.c, p[1].c, p[1].equal))),
    "cdlmathold": (14, hold),
    "cdlmorningdojistar": (12, lambda p: star(p, p[1].is_doji, rising=True, share=0.3)),
    "cdlmorningstar": (12, lambda p: star(p, p[1].is_not_long, rising=True, share=0.3)),
    "cdlonneck": (11, lambda p: bear(p[1].black, p[1].is_long, p.white, p.o < p[1].l, about(p.c, p[1].l, p[1].equal))),
    "cdlpiercing": (11, lambda p: bull(
        p[1].black, p[1].is_long, p.white, p.is_long, p.o < p[1].l, p.c < p[1].o, p.c > p[1].c + 0.5 * p[1].body
    )),
    "cdlrickshawman": (10, lambda p: bull(
        p.is_doji, p.upper > p.body, p.lower > p.body,
        p.foot <= p.l + (p.h - p.l) / 2.0 + p.near, p.top >= p.l + (p.h - p.l) / 2.0 - p.near,
    )),
    "cdlrisefall3methods": (14, three_methods),
    "cdlseparatinglines": (11, lambda p: p.colour * bull(
        p.colour == -p[1].colour, about(p.o, p[1].o, p[1].equal), p.is_long,
        np.where(p.white, p.is_shaven_below, p.is_shaven_above),
    )),
    "cdlshootingstar": (11, lambda p: bear(shot(p), p.is_above(p[1]))),
    "cdlshortline": (10, lambda p: p.colour * bull(p.is_short, p.upper < p.usual_shadow, p.lower < p.usual_shadow)),
    "cdlspinningtop": (10, lambda p: p.colour * bull(p.is_short, p.upper > p.body, p.lower > p.body)),
    "cdlstalledpattern": (12, stalled),
    "cdlsticksandwich": (7, lambda p: bull(p[2].black, p[1].white, p.black, p[1].l > p[2].c, about(p.c, p[2].c, p[2].equal))),
    "cdltakuri": (10, lambda p: bull(p.is_doji, p.is_shaven_above, p.lower > 2.0 * p.body)),
    "cdltasukigap": (7, tasuki),
    "cdlthrusting": (11, lambda p: bear(
        p[1].black, p[1].is_long, p.white, p.o < p[1].l, p.c > p[1].c + p[1].equal, p.c <= p[1].c + 0.5 * p[1].body
    )),
    "cdltristar": (12, three_stars),
    "cdlunique3river": (12, lambda p: bull(
        p[2].is_long, p[2].black, p[1].black, p[1].c > p[2].c, p[1].o <= p[2].o, p[1].l < p[2].l,
        p.is_short, p.white, p.o > p[1].l,
    )),
    "cdlupsidegap2crows": (12, lambda p: bear(
        p[2].white, p[2].is_long, p[1].black, p[1].is_not_long, p[1].is_above(p[2]), p.black, p.o > p[1].o,
        p.c < p[1].c, p.c > p[2].c,
    )),
    "cdlxsidegap3methods": (2, gap_closed),
}  # fmt: skip
"""The bars each must have seen before it says anything, and what it is."""


def pattern(name: str, b: Bars) -> tuple[Floats]:
    """One pattern as a reference: 0 while it lacks its bars."""
    silent, of = PATTERNS[name]
    made = np.where(np.arange(b["close"].size) < silent, 0.0, of(Candles(b)))
    return (made,)


CANDLES: Mapping[str, Reference] = {name: partial(pattern, name) for name in PATTERNS}
