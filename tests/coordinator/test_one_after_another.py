"""What a search concludes is what one worker would have, however many train, in whichever order, and through kills."""

import math
import random

import pytest

from lrsearch.report.export import chosen, to_yaml
from lrsearch.store.memory import MemoryStore
from tests.coordinator.curves import EVALUATIONS, Curves, Searched, dies, diverges, falling, searched, task_of

SETTINGS = {
    "default": {},
    "a lower bound": {"metric": "{lower_bound: 0}"},
    "screened": {"seeds": "{screen: 1, confirm: 3}"},
    "screened, with a lower bound": {"seeds": "{screen: 1, confirm: 3}", "metric": "{lower_bound: 0}"},
    "resolved": {"search": "{resolve: true}"},
    "resolved, with a lower bound": {"search": "{resolve: true}", "metric": "{lower_bound: 0}"},
    "a single seed": {"seeds": "1", "metric": "{lower_bound: 0}"},
}


def landscape(number: int) -> Curves:
    """Draw a valley with rungs that die or diverge, some on a part of their seeds, and seeds that differ."""
    drawn = random.Random(number)
    middle, steep = drawn.uniform(-4, 4), drawn.choice([0.02, 0.1, 0.5, 2.0])
    noise = drawn.choice([0.0, 0.01, 0.05, 0.3, 1.0])
    bold = middle + drawn.uniform(0.5, 6)

    def curves(rate: float, seed: int) -> list[float]:
        rung = 2 * math.log10(rate)
        own = random.Random(f"{number} {rung:.1f} {seed}")
        first = 2.3 * math.exp(own.gauss(0, 0.01))
        if rung > bold and own.random() < 0.7:
            return diverges(first, own.randrange(1, EVALUATIONS)) if own.random() < 0.7 else dies(first, 2.31)
        last = 0.2 * math.exp(min(6.0, steep * (rung - middle) ** 2) + noise * own.gauss(0, 1))
        return falling(first, min(last, first * math.exp(0.02 * own.gauss(0, 1))))

    return curves


def content(found: Searched) -> str:
    return to_yaml(chosen(found.task, [found.state], {"date": "today"}, "0123"))


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("workers", [2, 5])
def test_workers_their_order_and_kills_change_no_byte_of_the_chosen_values(setting: str, workers: int) -> None:
    for number in range(3 if "resolve" in SETTINGS[setting].get("search", "") else 12):
        task = task_of(random.Random(number).choice([1e-3, 0.1, 10.0]), **SETTINGS[setting])
        one = searched(task, landscape(number))
        order = random.Random(number)
        several = searched(task, landscape(number), workers, order=order, killed=order.choice([0, 0.01]))
        assert content(several) == content(one), number


def test_a_candidate_that_another_spares_only_by_being_faster_is_trained_as_one_worker_would() -> None:
    def curves(rate: float, seed: int) -> list[float]:
        return falling(2.3, {0.1: 1.5, 0.3: 0.2}.get(rate, 2.0) + seed / 100)

    task = task_of(0.1, metric="{lower_bound: 0}")
    one = searched(task, curves)

    class UpperFirst(random.Random):
        """Trains all of the upper first guess before the lower one."""

        def choice(self, running):  # type: ignore[no-untyped-def,override]
            return max(running, key=lambda trial: (trial.spec.rung, -trial.spec.seed))

    several = searched(task, curves, workers=6, order=UpperFirst())
    assert {t.spec.seed for t in one.state.counted if t.spec.hyperparameters["lr"] == 0.1} == {0, 1, 2}
    assert content(several) == content(one)


def test_what_only_the_order_of_arrival_trained_stays_in_the_study() -> None:
    def curves(rate: float, seed: int) -> list[float]:
        # The start diverges, so that one worker never comes to the rung above it.
        return diverges(2.3, EVALUATIONS) if rate >= 0.3 else falling(2.3, 0.3 + abs(math.log10(rate) + 2))

    store = MemoryStore()
    found = searched(task_of(0.3), curves, workers=8, store=store)
    assert 1.0 in {trial.spec.hyperparameters["lr"] for trial in store.trials()}
    assert 1.0 not in {trial.spec.hyperparameters["lr"] for trial in found.state.counted}
    assert found.state.verdict is not None
    assert found.state.verdict.iterations == sum(trial.iterations for trial in found.state.counted)
