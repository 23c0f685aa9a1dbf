"""A bound on regret in words: as a percentage that says of what, or in the metric's own units."""

from lrsearch.report.numbers import bound_text, percent_text, up_text
from lrsearch.verdict import CONFIDENCE, Unit, Verdict

OF: dict[Unit, str] = {"value": "", "learned": " of what was learned", "error": " of its error"}
"""What follows a percentage, by what it is a fraction of."""
_SHORT: dict[Unit, str] = {"value": "", "learned": " of gain", "error": " of error"}
_SURE = f"with {percent_text(CONFIDENCE)} confidence"
_ALL = 1.0
"""From here on a percentage says less than words or the metric's own units."""


def loss_text(verdict: Verdict, metric: str) -> str:
    """Return in words what a choice may lose to the best of those trained, by a bound above 0, of ``metric``."""
    bound, unit = verdict.regret_at_most, verdict.regret_of
    assert bound is not None, "what has no bound says why"
    own = own_units(verdict, metric)
    if bound < _ALL:
        said = f"{bound_text(bound)}{OF[unit]}{f' ({own})' if own and unit != 'value' else ''}"
        return f"{_SURE} it loses at most {said} to the best of those trained"
    if unit == "learned":
        return "it may lose all that was learned to the best of those trained"
    return f"{_SURE} it loses at most {own or 'an amount that is open'} to the best of those trained"


def table_text(verdict: Verdict, metric: str) -> str:
    """Return a bound for a column that is headed "loses at most"."""
    bound, unit = verdict.regret_at_most, verdict.regret_of
    if bound is None:
        return "unknown"
    if bound < _ALL:
        return bound_text(bound) + (OF[unit] if bound else "")
    return "all that was learned" if unit == "learned" else own_units(verdict, metric) or "unknown"


def short_text(verdict: Verdict) -> str:
    """Return what is lost at most, in 22 characters."""
    bound, unit = verdict.regret_at_most, verdict.regret_of
    assert bound is not None, "what has no bound says so"
    if bound == 0:
        return "the best of these"
    if bound < _ALL:
        # Two digits are enough here, and a bound that is rounded up is one.
        return f"loses ≤ {bound_text(bound if unit == 'value' else max(bound, 0.01))}{_SHORT[unit]}"
    if unit == "learned":
        return "may lose all learned"
    own = own_units(verdict, "")
    return f"loses ≤ {own}" if own else "how much is open"


def own_units(verdict: Verdict, metric: str) -> str:
    """Return what is lost at most in the metric's own units, rounded up; points are hundredths of a share.

    "" where no finite amount can be said; without the metric's name where that is empty.
    """
    amount = verdict.loses_at_most
    if amount is None or verdict.measure is None:
        return ""
    of = f" of {metric}" if metric else ""
    whole = verdict.measure.whole
    return f"{up_text(amount)}{of}" if whole is None else f"{up_text(100 * amount / whole)} points{of}"
