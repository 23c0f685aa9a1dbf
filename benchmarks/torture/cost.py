"""What the engine costs beside the trainings: 120 trivial ones with Ray on two cores."""

import shutil

import optuna
from drivers import HERE, ray_folder, start, wait_until_gone
from rows import Found, Repetition, Row
from two_drivers import CROWD

SEEDS = 40
"""For each of the three candidates within the limits of the task."""
LIMIT = 0.05


def many(repetition: Repetition) -> Found:
    """Search with many trivial trainings; measure from the first one's end to the last one's."""
    found = Found()
    task = repetition.scratch / "crowd.yaml"
    shutil.copy(HERE / "trivial.py", repetition.scratch)
    task.write_text(CROWD.format("crowd", SEEDS).replace("valley.py:valley", "trivial.py:trivial"))
    with ray_folder() as folder:
        start(repetition.scratch / "studies", task=task, engine="ray").must_end_well()
        wait_until_gone(folder)
    storage = f"sqlite:///{repetition.scratch}/studies/crowd/study.db"
    trials = optuna.load_study(study_name="crowd/sgd/lr", storage=storage).trials
    ends = sorted(trial.datetime_complete for trial in trials if trial.datetime_complete)
    found.count("runs")
    found.count("trainings", len(ends))
    found.expect(len(ends) >= 120, f"{len(ends)} trainings")
    found.figures["a training"] = round((ends[-1] - ends[0]).total_seconds() / (len(ends) - 1), 4)
    return found


ROWS = (
    Row(
        "cost",
        "the engine costs little",
        "120 trivial trainings with Ray on two cores: the time from the first one's end to the last one's, a training; "
        "the median is to be 0.05 s at most",
        "runs",
        5,
        many,
        limit=LIMIT,
    ),
)
