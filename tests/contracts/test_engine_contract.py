"""What every engine promises, run over each: real trainings, real Ray, workers that really die."""

import re
import textwrap
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lrsearch.coordinator import Coordinator, Ended, Evaluated, Event, Observer
from lrsearch.engine.inline import InlineEngine
from lrsearch.errors import TrainingError
from lrsearch.ports import Dispatcher, Engine, Store
from lrsearch.store.memory import MemoryStore
from lrsearch.strategies import Bracketed
from lrsearch.task import Task, parse_task
from lrsearch.trial import Curve, Diverged, Evaluation, Failed, Finished, Outcome, SearchId, Stopped, Trial
from lrsearch.verdict import Verdict

WORKLOAD = '''
import os
import signal
import sys
import time
from pathlib import Path

import torch
from torch import nn

from lrsearch import Mean, Workload
from lrsearch.training import replica

replica.CHECKPOINT_SECONDS = 0  # one after each evaluation
replica.CHECKPOINT_SHARE = 1e9


class Batches:
    """Ten examples an iteration; every draw is written to a file, and some moods end there."""

    def __init__(self, mood, marks):
        self.mood, self.marks = mood, Path(marks)

    def batch(self, seed, iteration):
        with (self.marks / f"{self.mood}-{os.getpid()}").open("a") as file:
            file.write(f"{iteration}\\n")
        if iteration == 12:
            self.act()
        generator = torch.Generator().manual_seed(1000 * seed + iteration)
        return torch.randn(10, 4, generator=generator)

    def act(self):
        died = self.marks / "died"
        if self.mood == "raises":
            raise ValueError("the thirteenth batch\\nis bad luck")
        if self.mood == "exits":
            sys.exit(3)
        if self.mood == "no room":
            raise OSError(28, "No space left on device")
        if self.mood == "hangs once" and not (self.marks / "hung").exists():
            (self.marks / "hung").touch()
            time.sleep(1000)
        if self.mood == "always dies" or (self.mood == "dies once" and not died.exists()):
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def loss(model, batch):
    inputs = batch[0] if isinstance(batch, tuple) else batch
    return (model(inputs) - inputs.sum(dim=1, keepdim=True)).square().mean()


def make(mood, marks):
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.1), nn.Linear(4, 1))
    x = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
    return Workload(model=model, batches=Batches(mood, marks), loss=loss, metrics={"train_loss": Mean(loss, x)})
'''
TASK = """
name: engines
workload: workload.py:make
arguments: {mood: calm, marks: MARKS}
budget: {iterations: 20, evaluate_every: 5}
seeds: 2
optimizers:
  sgd: {lr: {start: 0.03}}
  hot: {base: sgd, lr: {start: 100}}
  cprop: {base: sgd, cprop: {c: {start: 1}, beta: 0.9}, lr: {of: sgd}}
"""
MOODS = """
name: moods
workload: workload.py:make
arguments: {mood: calm, marks: MARKS}
budget: {iterations: 20, evaluate_every: 5}
seeds: 1
optimizers:
"""
MOODY = '  {}: {{base: sgd, lr: {{start: 0.1}}, arguments: {{mood: "{}"}}}}\n'
# The start is the upper limit: one first guess, then its lower neighbour.
ENDINGS = "search: {limits: {lr: [0.03, 0.1]}}\n"


@dataclass
class Broken:
    """What is left of a run that ended because its trainings all fail."""

    mood: str
    store: MemoryStore
    error: TrainingError


MakeEngine = Callable[[Path], Engine]


@dataclass
class Record(Dispatcher):
    """The coordinator, with all that passes between it and the engine written down."""

    coordinator: Coordinator
    asked: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    lost_ones: Counter[str] = field(default_factory=Counter)

    def ask(self) -> Trial | None:
        trial = self.coordinator.ask()
        if trial is not None:
            self.asked[trial.id] += 1
        return trial

    def done(self) -> bool:
        return self.coordinator.done()

    def report(self, trial: str, evaluation: Evaluation, seconds: float = 0.0) -> bool:
        return self.coordinator.report(trial, evaluation, seconds)

    def tell(self, trial: str, outcome: Outcome, curve: Curve, seconds: float) -> bool:
        self.told[trial] += 1
        return self.coordinator.tell(trial, outcome, curve, seconds)

    def lost(self, trial: str, reason: str) -> None:
        self.lost_ones[trial] += 1
        self.coordinator.lost(trial, reason)

    def note(self, line: str) -> None:
        self.coordinator.note(line)

    def remembered(self, name: str) -> Any:
        return self.coordinator.remembered(name)

    def remember(self, name: str, value: Any) -> None:
        self.coordinator.remember(name, value)

    @property
    def trials(self) -> dict[tuple[str, int, int], tuple[Outcome | None, Curve]]:
        """What became of each replica, by entry, rung and seed."""
        return {
            (t.spec.search.entry, t.spec.rung, t.spec.seed): (t.outcome, t.curve)
            for t in self.coordinator.trials
        }

    @property
    def verdicts(self) -> dict[SearchId, Verdict | None]:
        return {state.search: state.verdict for state in self.coordinator.states}


def run(
    task: Task, engine: Engine, store: Store | None = None, observer: Observer = lambda event: None
) -> Record:
    record = Record(Coordinator(task, store or MemoryStore(), observer=observer))
    engine.run(task, record)
    return record


def write(folder: Path, text: str) -> Task:
    (folder / "marks").mkdir()
    (folder / "workload.py").write_text(WORKLOAD)
    return parse_task(text.replace("MARKS", str(folder / "marks")), folder / "task.yaml")


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """Three searches, one of which waits for another, and candidates that diverge."""
    return write(tmp_path_factory.mktemp("task"), TASK)


@pytest.fixture(scope="module", params=["inline", "ray"])
def make_engine(request: pytest.FixtureRequest) -> MakeEngine:
    if request.param == "inline":
        return InlineEngine
    request.getfixturevalue("started_ray")
    from lrsearch.engine.ray import RayEngine

    return RayEngine


@pytest.fixture(scope="module")
def reference(task: Task, tmp_path_factory: pytest.TempPathFactory) -> Record:
    """The run that every other must equal."""
    return run(task, InlineEngine(tmp_path_factory.mktemp("reference")))


@pytest.fixture(scope="module")
def calm(task: Task, make_engine: MakeEngine, tmp_path_factory: pytest.TempPathFactory) -> Record:
    """An undisturbed run."""
    return run(task, make_engine(tmp_path_factory.mktemp("calm")))


def test_the_reference_has_outcomes_of_both_kinds(reference: Record) -> None:
    kinds = {type(outcome) for outcome, _ in reference.trials.values()}
    assert kinds == {Finished, Diverged}


def settled(record: Record) -> object:
    """What does not depend on which seed of a rate that diverges is the first to: the others are then not needed."""
    finished = {key: how for key, how in record.trials.items() if isinstance(how[0], Finished)}
    chosen = {
        search: verdict and (verdict.ending, verdict.chosen, verdict.regret_at_most, verdict.ties)
        for search, verdict in record.verdicts.items()
    }
    return finished, chosen


def test_every_replica_ends_as_it_does_elsewhere_to_the_bit(calm: Record, reference: Record) -> None:
    assert settled(calm) == settled(reference)


def test_every_search_ends(calm: Record) -> None:
    assert None not in calm.verdicts.values()


def test_what_is_handed_out_is_told_once_unless_it_was_stopped(calm: Record) -> None:
    stopped = {trial.id for trial in calm.coordinator.trials if isinstance(trial.outcome, Stopped)}
    assert {*calm.told} | stopped == {*calm.asked}
    assert set(calm.told.values()) == {1}
    assert calm.coordinator.done()


def test_a_finished_task_is_not_trained_again(
    task: Task, make_engine: MakeEngine, calm: Record, tmp_path: Path
) -> None:
    store = MemoryStore()
    for trial in calm.coordinator.trials:
        assert trial.outcome is not None
        store.end(store.create(trial.spec), trial.outcome, trial.curve, trial.seconds)
    assert run(task, make_engine(tmp_path), store).asked == Counter()


def test_an_interrupted_run_tells_nothing_half_trained_and_goes_on_to_the_same_end(
    task: Task, make_engine: MakeEngine, reference: Record, tmp_path: Path
) -> None:
    store = MemoryStore()
    seen: Counter[type] = Counter()

    def interrupt(event: Event) -> None:
        seen[type(event)] += 1
        if isinstance(event, Evaluated) and event.evaluation.iteration == 10 and seen[Ended] >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(task, make_engine(tmp_path), store, interrupt)
    interrupted = [trial for trial in store.trials() if not trial.ended]
    assert interrupted
    for trial in store.trials():
        key = (trial.spec.search.entry, trial.spec.rung, trial.spec.seed)
        if isinstance(trial.outcome, Finished):
            assert (trial.outcome, trial.curve) == reference.trials[key]

    resumed = run(task, make_engine(tmp_path), store)
    # Which seeds of a rate that diverges are trained at all depends on which of them is the first to.
    assert settled(resumed) == settled(reference)
    stopped = {trial.id for trial in resumed.coordinator.trials if isinstance(trial.outcome, Stopped)}
    assert {t.id for t in interrupted} <= {*resumed.told} | stopped, "interrupted ones go on under their id"


# -- trainings that misbehave ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def moody(make_engine: MakeEngine, tmp_path_factory: pytest.TempPathFactory) -> Record:
    """Searches whose trainings find no room or hang, beside a calm one; on Ray also some whose workers die."""
    moods = ["no room", "hangs once", "calm"]
    if make_engine is not InlineEngine:
        moods += ["dies once", "always dies"]
    folder = tmp_path_factory.mktemp("moods")
    entries = "".join(MOODY.format(mood.replace(" ", "_"), mood) for mood in moods)
    # Each death costs a process that imports torch.
    task = write(folder, MOODS + entries + ENDINGS + "resources: {max_failures: 1, timeout: 15}\n")
    return run(task, make_engine(folder / "checkpoints"))


def outcome_of(record: Record, entry: str) -> Outcome | None:
    outcome, _ = record.trials[entry, -2, 0]
    return outcome


def drawn(record: Record, mood: str) -> list[list[int]]:
    """The batches drawn by each process in a mood, the earlier process first."""
    task = record.coordinator._task
    files = sorted(Path(task.arguments["marks"]).glob(f"{mood}-*"), key=lambda path: path.stat().st_mtime)
    return [[int(line) for line in file.read_text().split()] for file in files]


@pytest.fixture(scope="module", params=["raises", "exits"])
def broken(
    request: pytest.FixtureRequest, make_engine: MakeEngine, tmp_path_factory: pytest.TempPathFactory
) -> Broken:
    """A run of which one search's trainings raise each time, beside a calm one."""
    folder = tmp_path_factory.mktemp("broken")
    entries = MOODY.format("calm", "calm") + MOODY.format("broken", request.param)
    task = write(folder, MOODS + entries + ENDINGS)
    store = MemoryStore()
    with pytest.raises(TrainingError) as caught:
        run(task, make_engine(folder / "checkpoints"), store)
    return Broken(request.param, store, caught.value)


def test_an_error_that_comes_twice_ends_the_run_in_one_line(broken: Broken) -> None:
    what = {"raises": "ValueError: the thirteenth batch", "exits": "SystemExit: 3"}[broken.mood]
    assert re.fullmatch(
        rf"broken/lr at 0.(03|1), seed 0, failed in the same way (when it was tried again|as another before it): "
        rf".*workload.py:\d+ raised {what}; this is no accident, so the run ends; what had ended is kept; "
        r"mend the cause and run it again",
        str(broken.error),
    )


def test_it_is_on_record_with_its_traceback(broken: Broken) -> None:
    (failed,) = (trial for trial in broken.store.trials() if isinstance(trial.outcome, Failed))
    assert isinstance(failed.outcome, Failed)
    line = {"raises": 'raise ValueError("the thirteenth batch\\nis bad luck")', "exits": "sys.exit(3)"}[
        broken.mood
    ]
    assert line in failed.outcome.error
    assert broken.error.traceback in failed.outcome.error


def test_the_evaluations_before_a_failure_are_kept(broken: Broken) -> None:
    (failed,) = (trial for trial in broken.store.trials() if isinstance(trial.outcome, Failed))
    assert [e.iteration for e in failed.curve] == [0, 5, 10]


def test_what_was_cut_off_too_often_has_failed_with_its_traceback(moody: Record) -> None:
    outcome = outcome_of(moody, "no_room")
    assert isinstance(outcome, Failed)
    first, *rest = outcome.error.splitlines()
    assert re.fullmatch(
        r".*workload.py:\d+ raised OSError: \[Errno 28\] No space left on device \(2 times\)", first
    )
    assert "raise OSError(28" in textwrap.dedent("\n".join(rest))


def test_a_training_that_hung_ends_as_if_nothing_had_been(moody: Record) -> None:
    by_rung = {key[1:]: value for key, value in moody.trials.items() if key[0] == "hangs_once"}
    assert by_rung == {key[1:]: value for key, value in moody.trials.items() if key[0] == "calm"}
    assert (Path(moody.coordinator._task.arguments["marks"]) / "hung").exists()


def test_no_checkpoint_is_left_of_what_has_ended(moody: Record) -> None:
    left = {
        path.name.split(".")[0] for path in (moody.coordinator._task.folder / "checkpoints").rglob("*.pt")
    }
    # Those that were cut off leave theirs, to go on from; the end of the run removes them.
    assert left <= {"always_dies-lr-0", "no_room-lr-0"}


def test_a_failed_search_trains_nothing_more(moody: Record) -> None:
    assert [key for key in moody.trials if key[0] == "no_room"] == [("no_room", -2, 0)]
    assert moody.verdicts[SearchId("no_room", "lr")] is None


def test_the_others_go_on(moody: Record) -> None:
    verdict = moody.verdicts[SearchId("calm", "lr")]
    assert verdict is not None
    assert not isinstance(verdict.ending, Bracketed)  # its limits are two rungs wide


@pytest.mark.parametrize("make_engine", ["ray"], indirect=True)
def test_a_replica_whose_worker_was_killed_ends_as_if_nothing_had_been(moody: Record) -> None:
    by_rung = {key[1:]: value for key, value in moody.trials.items() if key[0] == "dies_once"}
    undisturbed = {key[1:]: value for key, value in moody.trials.items() if key[0] == "calm"}
    assert by_rung == undisturbed
    assert (Path(moody.coordinator._task.arguments["marks"]) / "died").exists()


@pytest.mark.parametrize("make_engine", ["ray"], indirect=True)
def test_it_goes_on_from_its_checkpoint(moody: Record) -> None:
    before, after = drawn(moody, "dies once")[:2]
    assert before[-1] == 12
    # The last batch before the checkpoint is drawn again to run an iterable forward, nothing before it.
    assert after[:3] == [9, 10, 11]


@pytest.mark.parametrize("make_engine", ["ray"], indirect=True)
def test_a_replica_that_kills_its_worker_again_and_again_fails(moody: Record) -> None:
    outcome = outcome_of(moody, "always_dies")
    assert isinstance(outcome, Failed)
    assert outcome.error == "its process ended; there may be no memory left for it (2 times)"
    assert moody.lost_ones["always_dies/lr/0"] == 2
    assert moody.told["always_dies/lr/0"] == 0, "the coordinator decides, not the engine"


@pytest.mark.parametrize("make_engine", ["ray"], indirect=True)
def test_only_what_was_cut_off_is_lost(moody: Record) -> None:
    cut_off = {"always_dies/lr/0": 2, "dies_once/lr/0": 1, "no_room/lr/0": 2, "hangs_once/lr/0": 1}
    assert moody.lost_ones == Counter(cut_off)
