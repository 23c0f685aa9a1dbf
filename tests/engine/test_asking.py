"""How replicas go to workers of Ray Tune, some of which never start."""

from collections import deque
from typing import Any

import pytest
from ray.tune.search import Searcher

from lrsearch.engine.ray import _Asking
from lrsearch.trial import SearchId, Trial, TrialSpec


class Handing:
    """A dispatcher that hands out some replicas, and again those that were lost."""

    def __init__(self, trials: int) -> None:
        self.open = deque(
            Trial(str(number), TrialSpec(SearchId("sgd", "lr"), 0, number, {})) for number in range(trials)
        )
        self.lost_ones: list[str] = []
        self.out: dict[str, Trial] = {}

    def ask(self) -> Trial | None:
        if not self.open:
            return None
        trial = self.open.popleft()
        self.out[trial.id] = trial
        return trial

    def lost(self, trial_id: str, because: str) -> None:
        self.lost_ones.append(trial_id)
        self.open.append(self.out.pop(trial_id))

    def done(self) -> bool:
        return not self.open and not self.out


def asking(trials: int, size: int = 1) -> tuple[_Asking, Handing, Any]:
    """A searcher, its dispatcher, and what a worker of a name that is heard of is given."""
    handing = Handing(trials)
    searcher = _Asking(handing, size)  # type: ignore[arg-type]

    def heard(name: str) -> list[str]:
        running = searcher.hears(name)
        assert running is not None
        came = [trial.id for trial in searcher.asked(size - len(running))]
        running += came
        return came

    return searcher, handing, heard


def test_what_waits_for_a_worker_that_has_no_room_to_start_is_given_to_another() -> None:
    searcher, _, heard = asking(2)
    searcher.suggest("a")
    searcher.suggest("b")
    assert heard("a") == ["0"]
    assert heard("b") == ["1"]
    searcher.on_trial_complete("b", error=True)
    assert searcher.suggest("never starts") == {"size": 1}
    running = searcher.hears("a")
    assert running is not None
    running.remove("0")
    assert heard("a") == ["1"]


@pytest.mark.parametrize("size", [1, 3])
def test_no_more_workers_than_there_are_replicas_for(size: int) -> None:
    searcher, _, heard = asking(4, size)
    suggested = [searcher.suggest(name) for name in "abcde"]
    assert sum(isinstance(one, dict) for one in suggested) == -(-4 // size)
    assert suggested[-1] is None
    assert [trial for name in "abcd"[: -(-4 // size)] for trial in heard(name)] == ["0", "1", "2", "3"]


def test_a_worker_that_cannot_start_counts_as_an_attempt_of_what_it_would_have_trained() -> None:
    searcher, handing, _ = asking(3, 2)
    searcher.suggest("a")
    searcher.on_trial_complete("a", error=True)
    assert handing.lost_ones == ["0", "1"]
    assert not searcher.serves("a")


def test_it_has_finished_when_the_dispatcher_has() -> None:
    searcher, handing, heard = asking(1)
    searcher.suggest("a")
    heard("a")
    assert searcher.suggest("b") is None
    handing.out.clear()
    assert searcher.suggest("b") == Searcher.FINISHED
