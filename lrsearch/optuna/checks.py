"""What an objective has to do, and may not, for its trials to be compared."""

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial

from lrsearch.errors import UsageError
from lrsearch.standalone import StandaloneSearch


def missing(search: StandaloneSearch, trial: FrozenTrial, finished: bool) -> str | None:
    """Say what a trial that has ended did not do, with the remedy; None if it can be compared.

    ``finished`` says whether it gave a value.
    """
    parameter, seed, last = search.parameter, search.seed_parameter, search.most_seeds - 1
    if parameter not in trial.params:
        return f'never suggested {parameter}; call trial.suggest_float("{parameter}", ..., log=True)'
    if last > 0 and seed not in trial.params:
        return f'never suggested its seed; call trial.suggest_int("{seed}", 0, {last}), or give seeds=1'
    if finished and search.wants_report and 0 not in trial.intermediate_values:
        return "reported nothing before training; call trial.report(value, 0), or give initial a number"
    return None


def check_complete(search: StandaloneSearch, trial: FrozenTrial) -> None:
    """Refuse a trial that returned a value without having done what it has to.

    Raises:
        UsageError: what is missing.
    """
    if search.parameter not in _enqueued(trial) and (problem := missing(search, trial, finished=True)):
        raise UsageError(f"trial {trial.number} {problem}")


def check_suggestion(
    search: StandaloneSearch, trial: FrozenTrial, name: str, distribution: BaseDistribution
) -> None:
    """Refuse a parameter that is not the search's, or a range that does not hold all that it may visit.

    Raises:
        UsageError: what is wrong.
    """
    parameter, seed = search.parameter, search.seed_parameter
    if name not in (parameter, seed):
        raise UsageError(
            f"{name} is suggested too, and trials that differ in more than {parameter} and {seed} cannot be compared; "
            f"fix {name}, or give each of its values a study of its own"
        )
    if _enqueued(trial) & {parameter, seed}:
        raise UsageError(
            f"trial {trial.number} was enqueued with one of {parameter} and {seed}; "
            "enqueue it with both, or leave both to the search"
        )
    if name == seed:
        _check_range(name, distribution, IntDistribution, (0, search.most_seeds - 1), "give fewer seeds")
    else:
        ladder = search.searched.ladder
        lowest, highest = (ladder.value(rung) for rung in ladder.rungs_within(*search.searched.limits))
        _check_range(name, distribution, FloatDistribution, (lowest, highest), "give BracketSampler limits")


def _check_range(
    name: str,
    distribution: BaseDistribution,
    kind: type[FloatDistribution] | type[IntDistribution],
    needed: tuple[float, float],
    remedy: str,
) -> None:
    low, high = needed
    method = "suggest_int" if kind is IntDistribution else "suggest_float"
    call = f'trial.{method}("{name}", {low:g}, {high:g})'
    if not isinstance(distribution, kind) or distribution.step not in (None, 1):
        raise UsageError(f"{name} is suggested as {distribution}; call {call}")
    if not (distribution.low <= low and high <= distribution.high):
        raise UsageError(
            f"{name} is suggested within [{distribution.low:g}, {distribution.high:g}], and the search may visit "
            f"[{low:g}, {high:g}]; {remedy}, or call {call}"
        )


def _enqueued(trial: FrozenTrial) -> set[str]:
    """The parameters that were given to a trial when it was enqueued."""
    return {*trial.system_attrs.get("fixed_params", {})}
