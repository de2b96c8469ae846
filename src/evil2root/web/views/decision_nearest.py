"""What would have had to be otherwise for something else to be done, in words."""

from evil2root.domain.decision.counterfactual import counterfactuals, score_short
from evil2root.domain.kernel.record import Decision
from evil2root.web import format as f
from evil2root.web.views.symbols import source_name

LINES_MAX = 3
"""Sources named: those that were nearest."""


def nearest(decision: Decision, threshold: float | None) -> tuple[str, ...]:
    """Return the distance of the score from its threshold, then one line a source, the nearest first."""
    view = decision.view
    if view is None or threshold is None:
        return ()
    short = score_short(view, threshold=threshold)
    score = f.num(abs(view.score), 3)
    lines = [
        f"The score is {score} in size, {f.num(short, 3)} short of the {f.num(threshold)} that is acted on."
        if short > 0.0
        else f"The score is {score} in size, {f.num(-short, 3)} beyond the {f.num(threshold)} that is acted on."
    ]
    would = "reached it" if short > 0.0 else "kept it below"
    found = counterfactuals(decision.sources, view, threshold=threshold)
    lines += [
        f"{source_name(one.source)} alone would have {would} with P(up) {f.num(one.p_up_needed, 3)} "
        f"instead of {f.num(one.p_up, 3)}."
        for one in found[:LINES_MAX]
        if one.is_possible
    ]
    if found and len(lines) == 1:
        lines.append("No source alone could have changed that.")
    return tuple(lines)
