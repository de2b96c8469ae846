"""Labels that would lie over each other, moved apart."""

from collections.abc import Sequence


def spaced(places: Sequence[float], *, gap: float, low: float = 0.0, high: float = 1.0) -> list[float]:
    """Places at least `gap` apart, in the same order along the line, each as near to its own as that allows.

    What fits between `low` and `high` stays between them; more than fit are spread evenly and closer.
    """
    if len(places) < 2:
        return [min(max(place, low), high) for place in places]
    gap = min(gap, (high - low) / (len(places) - 1))
    order = sorted(range(len(places)), key=lambda n: places[n])
    groups: list[list[float]] = []  # centre of the first, count: neighbours that touch move as one
    for n in order:
        groups.append([places[n], 1])
        while len(groups) > 1 and _end(groups[-2], gap) + gap > groups[-1][0]:
            first, second = groups[-2], groups.pop()
            middle = (_middle(first, gap) * first[1] + _middle(second, gap) * second[1]) / (first[1] + second[1])
            first[1] += second[1]
            first[0] = middle - gap * (first[1] - 1) / 2.0
    made = [start + gap * n for start, count in groups for n in range(int(count))]
    for n, place in enumerate(made):
        made[n] = max(place, low + gap * n)
    for n in range(len(made) - 1, -1, -1):
        made[n] = min(made[n], high - gap * (len(made) - 1 - n))
    found = [0.0] * len(places)
    for n, place in zip(order, made, strict=True):
        found[n] = place
    return found


def _end(group: list[float], gap: float) -> float:
    return group[0] + gap * (group[1] - 1)


def _middle(group: list[float], gap: float) -> float:
    return group[0] + gap * (group[1] - 1) / 2.0
