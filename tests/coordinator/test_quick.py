"""The coordinator works out anew only what has changed, and answers as if it worked out everything each time."""

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsearch.coordinator
from lrsearch.coordinator import Coordinator
from lrsearch.searches import state_of
from lrsearch.store.memory import MemoryStore
from lrsearch.task import Task, parse_task
from lrsearch.trial import Diverged, Evaluation, Finished, Outcome, SearchId, Trial

HEAD = """
name: quick
workload: none.py:none
budget: {{iterations: 100, evaluate_every: 25}}
seeds: {seeds}
metric: {{name: loss, lower_bound: 0}}
search: {{{search}}}
optimizers:
  late: {{base: sgd, cprop: {{c: {{start: 1}}, beta: 0.99}}, lr: {{of: sgd}}}}
  sgd: {{lr: {{start: 0.01}}}}
  adam: {{lr: {{start: 0.001}}, weight_decay: {{start: 0.1, ladder: lr}}}}
"""


class Plain(Coordinator):
    """Works out everything at each event."""

    def _refresh(self, announce: bool = True, of: SearchId | None = None) -> None:
        self._outdated = set(self._order)
        super()._refresh(announce, of)


def ended(coordinator: Coordinator, trial: Trial, choice: int, noise: float) -> None:
    """Train a replica to its end: a valley, with outcomes of all kinds."""
    value = trial.spec.hyperparameters[trial.spec.search.hyperparameter]
    end = 0.3 + abs(math.log10(value / 0.03)) / 5 + noise * math.sin(37 * trial.spec.seed + trial.spec.rung)
    curve = tuple(Evaluation(i, end * (2 - i / 100)) for i in range(0, 101, 25))
    if choice == 0:
        coordinator.lost(trial.id, f"lost {trial.id}")
        return
    outcome: Outcome = Diverged(40) if choice == 1 or value > 5 else Finished(curve[-1].value)
    kept = curve[:2] if isinstance(outcome, Diverged) else curve
    if all(coordinator.report(trial.id, evaluation, 1.0) for evaluation in kept):
        coordinator.tell(trial.id, outcome, kept, 1.0)


@settings(max_examples=60, deadline=None)
@given(
    seeds=st.sampled_from(["1", "2", "{screen: 1, confirm: 3}"]),
    search=st.sampled_from(["", "race: true", "resolve: true, max_seeds: 5"]),
    noise=st.sampled_from([0.0, 0.05, 0.4]),
    draws=st.randoms(use_true_random=False),
)
def test_it_answers_as_one_that_works_out_everything(seeds, search, noise, draws) -> None:
    task = parse_task(HEAD.format(seeds=seeds, search=search), Path("/nowhere/task.yaml"))
    both = Coordinator(task, MemoryStore()), Plain(task, MemoryStore())
    running: list[Trial] = []
    for _ in range(400):
        if len(running) < 3:
            asked, plainly = (coordinator.ask() for coordinator in both)
            assert asked == plainly
            running += [asked] if asked else []
        if not running:
            break
        trial = running.pop(draws.randrange(len(running)))
        choice = draws.randrange(12)
        for coordinator in both:
            if trial.id in {one.id for one in coordinator.running}:
                ended(coordinator, trial, choice, noise)
        quick, plain = (
            [(s.search, s.others, s.waiting_for, s.decision, s.verdict) for s in coordinator.states]
            for coordinator in both
        )
        assert quick == plain
        assert both[0].done() == both[1].done()
    assert not running


@pytest.mark.parametrize("entries", [3, 30])
def test_what_an_event_costs_does_not_grow_with_the_searches(
    entries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each event looks at the search that it is of, however many there are."""
    looked: list[SearchId] = []

    def counted(task: Task, search: SearchId, *rest: object) -> object:
        looked.append(search)
        return state_of(task, search, *rest)  # type: ignore[arg-type]

    head, _, _ = HEAD.format(seeds=2, search="").partition("  late")
    rows = "".join(f"  e{i}: {{base: sgd, lr: {{start: 0.01}}}}\n" for i in range(entries))
    task = parse_task(head + rows, Path("/nowhere/task.yaml"))
    monkeypatch.setattr(lrsearch.coordinator, "state_of", counted)
    coordinator = Coordinator(task, MemoryStore())
    assert len(looked) == entries
    looked.clear()
    trial = coordinator.ask()
    assert trial is not None
    ended(coordinator, trial, choice=5, noise=0.0)
    assert looked == [trial.spec.search] * 2
