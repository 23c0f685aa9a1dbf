"""Where a search begins whose start the task does not give as a number, and whether that was right, in words."""

from lrsearch.report.numbers import count_text, value_text
from lrsearch.searches import SearchState
from lrsearch.task.model import Searched
from lrsearch.task.starts import RangeTest, ScaledStart

_RULES = {
    "linear": "linear scaling",
    "sqrt": "square-root scaling",
    "inverse": "inverse scaling",
    "same": "the unscaled value",
}


def start_text(searched: Searched) -> str | None:
    """Say where a search begins whose start is to be proposed; None for one whose start was given.

    >>> test = RangeTest((1e-7, 10.0), ((2.0, 1.0), (2.0,)), None)
    >>> start_text(Searched(None, "lr", (1e-8, 1e3)).started([test]))
    'starts from 0.01, as its range test (3 iterations on 2 seeds) suggests nothing: no loss fell'
    >>> scaling = Scaling("../x/chosen.yaml", "linear", "batch_size", here=32.0)
    >>> open_start = Searched(None, "lr", (1e-8, 1e3), scaling=scaling)
    >>> start_text(open_start.started([ScaledStart(scaling, "sgd", 0.1, there=8.0)]))
    'starts from 0.3, where linear scaling by batch_size (8 -> 32) from ../x/chosen.yaml points (0.4)'
    """
    match searched.proposed:
        case ScaledStart() as scaled:
            exact = "" if scaled.value == searched.start else f" ({value_text(scaled.value)})"
            return f"starts from {value_text(searched.guess)}, where {source_text(scaled)} points{exact}"
        case RangeTest() as test:
            return _after_range_test(searched, test)
    if searched.start is not None:
        return None
    if searched.scaling is not None:
        return f"starts from where {_RULES[searched.scaling.rule]} from {searched.scaling.source} will point"
    return "starts from what a range test will suggest"


def _after_range_test(searched: Searched, test: RangeTest) -> str:
    length = f"{count_text(test.iterations, 'iteration')} on {count_text(len(test.losses), 'seed')}"
    start = value_text(searched.guess)
    if test.suggested is None:
        return f"starts from {start}, as its range test ({length}) suggests nothing: no loss fell"
    within = "" if test.suggested == searched.start else f" {value_text(test.suggested)}, beyond its limits"
    return f"starts from {start}, as its range test ({length}) suggests{within}"


def source_text(scaled: ScaledStart) -> str:
    """Name what pointed to a start: the rule, what it scales by, and the file.

    >>> scaling = Scaling("../x/chosen.yaml", "sqrt", times=4.0)
    >>> source_text(ScaledStart(scaling, "adam", 1e-3))
    'square-root scaling by a ratio of 4 from ../x/chosen.yaml'
    """
    scaling = scaled.scaling
    ratio = ""
    if scaling.here is not None and scaled.there is not None:
        ratio = f" by {scaling.by} ({value_text(scaled.there)} -> {value_text(scaling.here)})"
    elif scaling.times is not None:
        ratio = f" by a ratio of {value_text(scaling.times)}"
    return f"{_RULES[scaling.rule]}{ratio} from {scaling.source}"


def off_by(state: SearchState) -> int | None:
    """Give how many rungs the chosen value lies above the proposed start; None where nothing is chosen or proposed."""
    if state.verdict is None or state.verdict.chosen is None or state.searched.proposed is None:
        return None
    ladder = state.searched.ladder
    return ladder.rung(state.verdict.chosen) - ladder.rung(state.searched.guess)


def held_text(state: SearchState) -> str:
    """Say whether the rule held by which a search began, as a sentence; "" for others, and before it has ended."""
    scaled = state.searched.proposed
    if not isinstance(scaled, ScaledStart) or state.verdict is None:
        return ""
    start, source = value_text(state.searched.guess), source_text(scaled)
    rungs = off_by(state)
    if rungs == 0:
        return f"{start} is where {source} pointed; it held."
    pointed = f"{source[0].upper()}{source[1:]} pointed to {start}"
    if rungs is None or state.verdict.chosen is None:
        return f"{pointed}."
    far = "one rung" if abs(rungs) == 1 else count_text(abs(rungs), "rung")
    found = value_text(state.verdict.chosen)
    return f"{pointed}; the bracket found {found}, {far} {'below' if rungs < 0 else 'above'}."
