"""Where a study lies: its folder, its storage, its lock; and which studies there are."""

import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from lrsearch.errors import StudyNotFoundError, TaskError, UsageError
from lrsearch.searches import SearchState, nothing_to_wait_for, survey
from lrsearch.store.record import StudyRecord
from lrsearch.task import Task, load_task
from lrsearch.task.compared import parse_stored
from lrsearch.task.document import did_you_mean, listed
from lrsearch.task.fields import NAME_PATTERN
from lrsearch.task.fingerprint import fingerprint
from lrsearch.task.model import Identity
from lrsearch.trial import SearchId
from lrsearch.users_code import LOGS

DATABASE = "study.db"
_IN_A_FILE = ("sqlite", "journal")
"""How the URLs of storages begin that name a file."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the study of a task lies.

    Attributes:
        name: the task's name.
        root: the folder of all studies.
        storage: an Optuna storage URL, or None for SQLite in the study's own folder.
        seen_from: the folder that a relative root is seen from; a training may change that of the process.
    """

    name: str
    root: Path
    storage: str | None = None
    seen_from: Path = field(default_factory=Path.cwd, compare=False, repr=False)

    @property
    def folder(self) -> Path:
        """The study's folder, as it is shown: pictures, chosen values, checkpoints and, by default, its database."""
        return self.root / self.name

    @property
    def _absolute(self) -> Path:
        return self.seen_from / self.folder

    @property
    def url(self) -> str:
        """The Optuna storage URL, without a path that depends on where the process is."""
        if self.storage is None:
            return f"sqlite:///{self._absolute.resolve() / DATABASE}"
        kind, mark, database = self.storage.partition(":///")
        if not kind.startswith(_IN_A_FILE) or not database or database.startswith((":", "file:")):
            return self.storage
        return f"{kind}{mark}{self.seen_from / database}"

    @property
    def lock(self) -> Path:
        """The file whose lock makes one process of this machine the only writer, from whatever folder it runs."""
        if self.storage is None:
            return self.folder / "run.lock"
        kind, _, database = self.storage.partition(":///")
        in_a_file = kind.startswith(_IN_A_FILE)
        url = f"{kind}:///{(self.seen_from / database).resolve()}" if in_a_file else self.storage
        key = hashlib.sha256(f"{url} {self.name}".encode()).hexdigest()[:16]
        return platformdirs.user_cache_path("lrsearch") / "locks" / f"{key}.lock"

    @property
    def checkpoints(self) -> Path:
        """The folder of the running replicas' checkpoints."""
        return self._absolute / "checkpoints"

    @property
    def logs(self) -> Path:
        """The folder of what the trainings printed."""
        return self._absolute / LOGS

    def checkpoints_size(self) -> tuple[int, int]:
        """Give how many checkpoints there are, and their size in bytes together."""
        sizes = []
        for path in self.checkpoints.rglob("*.pt"):
            with suppress(OSError):  # it was removed meanwhile
                sizes.append(path.stat().st_size)
        return len(sizes), sum(sizes)

    @property
    def chosen(self) -> Path:
        """The exported values."""
        return self.folder / "chosen.yaml"

    @property
    def comparison(self) -> Path:
        """The result of a comparison."""
        return self.folder / "comparison.yaml"

    def in_use(self) -> bool:
        """Whether a process is writing to the study at this moment, on this machine or, in a storage, on another."""
        try:
            if self.lock.is_file():
                FileLock(self.lock).acquire(timeout=0).lock.release()
        except Timeout:
            return True
        if self.storage is None:
            return False
        from lrsearch.store.optuna import writer_of

        return writer_of(self.storage, self.name) is not None

    def exists(self) -> bool:
        """Whether there may be something to read: for a storage of one's own that is not known before asking."""
        return self.storage is not None or (self._absolute / DATABASE).is_file()


@dataclass(frozen=True, slots=True)
class Study:
    """A study read from its storage, and where its searches stand."""

    place: Place
    task: Task
    identity: Identity
    states: dict[SearchId, SearchState]
    worked_at: float
    tried: bool = True
    """Whether the run that it was last opened by put on record what only shows when a task is tried out."""

    @property
    def fingerprint(self) -> str:
        """The identity in 16 hexadecimal digits."""
        return fingerprint(self.identity)

    @property
    def finished(self) -> bool:
        """Whether every search has ended."""
        return all(
            state.verdict is not None or nothing_to_wait_for(state, self.states)
            for state in self.states.values()
        )


def forked(task: Task, name: str) -> Task:
    """Give a task as it goes on in a fork of its study.

    Raises:
        UsageError: no other study can have the name.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise UsageError(f"--fork {name}: give a name of letters, digits, '-', '_' and '.'")
    if name == task.name:
        raise UsageError(f"--fork {name}: that is the study itself; give another name")
    return replace(task, name=name)


def place_of(named: str, root: Path, storage: str | None = None) -> Place:
    """Give the place of a study by its name, or by its folder as a shell completes it."""
    folder = Path(named.rstrip("/"))
    return Place(folder.name, root if folder.name == named else folder.parent, storage)


def read(place: Place) -> Study:
    """Read a study without changing it; works while a run is on.

    Raises:
        StudyNotFoundError: there is none.
    """
    if not place.exists():
        raise _not_found(place, str(place.root), names(place.root))
    from lrsearch.store.optuna import (
        read_study,
        shown_url,
        study_names,
    )  # imports Optuna, which takes a second

    try:
        record = read_study(place.url, place.name)
    except StudyNotFoundError:
        if place.storage is None:
            raise
        raise _not_found(place, shown_url(place.storage), study_names(place.storage)) from None
    return study_of(place, record)


def _not_found(place: Place, where: str, there: Sequence[str]) -> StudyNotFoundError:
    """Make the error for a name that no study of ``there`` has, with what may have been meant."""
    if place.name.endswith((".yaml", ".yml")):
        file = next((path for path in (Path(place.name), place.folder) if path.is_file()), Path(place.name))
        remedy = "give its name"
        with suppress(TaskError):
            remedy = f"that of this task is called {load_task(file).name}"
        return StudyNotFoundError(f"{file} is a task file where a study is wanted; {remedy}")
    known = (
        did_you_mean(place.name, there, f"there are {listed(there)}")
        if there
        else "there is none yet: lrsearch run TASK.yaml makes one"
    )
    return StudyNotFoundError(f"there is no study {place.name} in {where}; {known}")


def study_of(place: Place, record: StudyRecord) -> Study:
    """Make sense of a record: the task as it was last run, and where its searches stand."""
    # A study that was forked has a name of its own, and its task's text that of the other.
    task = replace(parse_stored(record.task_text, record.task_path), name=place.name)
    task = task.with_proposed_starts(record.proposed_starts)
    return Study(place, task, record.identity, survey(task, record.trials), record.worked_at, record.tried)


def names(root: Path) -> list[str]:
    """Give the studies of a folder that have a database of their own."""
    return sorted(path.parent.name for path in root.glob(f"*/{DATABASE}"))


def every(root: Path, storage: str | None = None) -> list[Study]:
    """Read the studies of a storage, or of a folder where None is named, the last worked on first."""
    if storage is None:
        places = [Place(name, root) for name in names(root)]
    else:
        from lrsearch.store.optuna import study_names

        places = [Place(name, root, storage) for name in study_names(storage)]
    found = []
    for place in places:
        with suppress(StudyNotFoundError):  # a run was killed before it wrote anything into its database
            found.append(read(place))
    return sorted(found, key=lambda study: study.worked_at, reverse=True)


def newest_unfinished(root: Path, storage: str | None = None) -> Study:
    """Give the study that was last worked on and has not ended.

    Raises:
        StudyNotFoundError: there is none.
    """
    for study in every(root, storage):
        if not study.finished:
            return study
    where = "the storage" if storage else root
    raise StudyNotFoundError(f"no study in {where} is unfinished; lrsearch status lists those there are")
