"""task.yaml -> ``Task``: read, checked against the format, and made into frozen data.

Every error is one line, ``FILE:LINE:COLUMN what is wrong; what to do``: the first mistake of the file.
"""

import codecs
import difflib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from lrsearch.errors import TaskError
from lrsearch.task.document import Document, Problem, read_document
from lrsearch.task.entries import EntryReader
from lrsearch.task.format import Checked, check_format
from lrsearch.task.model import Budget, Entry, Metric, Resources, SearchSettings, Task
from lrsearch.task.recipe import recipe_of, recipe_problems
from lrsearch.task.schema import ResourcesBlock, TaskBlock
from lrsearch.task.shares import resolve_shares, unknown_targets

_LARGEST_FILE = 64 * 1024
_MOST_EVALUATIONS = 100_000
"""Of a training: its whole curve is kept with its result."""


def load_task(path: str | Path) -> Task:
    """Read and check a task file.

    Raises:
        TaskError: it cannot be read, is no YAML, or says what no task can be.
    """
    return parse_task(text_of(path), Path(path), shown_as=str(path))


def parse_task(text: str, path: Path, shown_as: str | None = None) -> Task:
    """Check a task file's text.

    Args:
        text: YAML.
        path: the file that it is from: the workload's Python is looked for beside it.
        shown_as: what errors call the file; the path unless given.

    Raises:
        TaskError: it is no YAML, or says what no task can be.
    """
    return task_of(read_document(text, shown_as or str(path)), text, path)


def task_of(document: Document, text: str, path: Path) -> Task:
    """Check a document as a task file.

    Args:
        document: its content, with the places that errors name.
        text: what a study keeps of it.
        path: the file that it is from: the workload's Python is looked for beside it.

    Raises:
        TaskError: it says what no task can be.
    """
    _refuse_comparison(document)
    checked = check_format(document)
    block = checked.block
    reader = EntryReader(checked.document, block)
    entries = reader.entries()
    document.refuse(_all_problems(checked, reader.problems, entries))
    return Task(
        path=path.resolve(),
        text=text,
        name=block.name,
        workload=block.loop if "loop" in block.model_fields_set else block.workload,
        trained_by="loop" if "loop" in block.model_fields_set else "workload",
        budget=Budget(block.budget.iterations, block.budget.evaluate_every),
        metric=Metric(
            name=block.metric.name,
            mode=block.metric.mode,
            examples=_number_of(block.metric.examples),
            curve_examples=_number_of(block.metric.curve_examples),
            window=block.metric.window,
            lower_bound=block.metric.lower_bound,
            take=block.metric.take,
        ),
        entries=resolve_shares(document, entries),
        arguments=block.arguments,
        watch=tuple(block.watch),
        seeds=block.seeds if isinstance(block.seeds, int) else block.seeds.confirm,
        settings=_settings(block),
        recipe=recipe_of(block.recipe),
        resources=_resources(block.resources),
        positions=document.positions,
        shown_as=str(document.path),
    )


def is_comparison(data: object) -> bool:
    """Whether a file's content is a comparison: it names a task where a task names a callable."""
    return isinstance(data, dict) and "task" in data and not data.keys() & {"workload", "loop"}


def _refuse_comparison(document: Document) -> None:
    if is_comparison(document.data):
        run = shlex.join(["lrsearch", "compare", str(document.path)])
        document.refuse([Problem(("task",), f"task is named, so this is a comparison; run it with: {run}")])


def _all_problems(
    checked: Checked, of_entries: Sequence[Problem], entries: Mapping[str, Entry]
) -> Iterator[Problem]:
    """Return what is wrong with the format, and what else is wrong that does not merely follow from it."""
    left_out = [problem.key for problem in checked.problems]
    yield from checked.problems
    for problem in of_entries:
        limits_lack_a_user = problem.key[0] == "search" and any(key[0] == "optimizers" for key in left_out)
        lacks_what_was_left_out = any(key[: len(problem.key)] == problem.key for key in left_out)
        if not limits_lack_a_user and not lacks_what_was_left_out:
            yield problem
    yield from _callable_problems(checked.block)
    yield from _auto_problems(checked.block, entries)
    yield from _budget_problems(checked.block)
    yield from _search_problems(checked.block)
    yield from recipe_problems(checked.block)
    wrong = [*left_out, *(problem.key for problem in of_entries)]
    yield from unknown_targets(entries, {str(key[1]) for key in wrong if key[0] == "optimizers"})


def _callable_problems(block: TaskBlock) -> Iterator[Problem]:
    given = {"workload", "loop"} & block.model_fields_set
    if given == {"workload", "loop"}:
        yield Problem(
            ("loop",), "loop stands beside workload, and one of them trains; leave out the one or the other"
        )
    if "loop" not in given:
        return
    for name, why in _NOT_FOR_LOOPS.items():
        block_name, _, key = name.partition(".")
        inner = getattr(block, block_name)
        if (key or block_name) in (inner if key else block).model_fields_set:
            yield Problem(tuple(name.split(".")), f"{name} is not for a loop: {why}; leave it out")


def _auto_problems(block: TaskBlock, entries: Mapping[str, Entry]) -> Iterator[Problem]:
    for entry in entries.values() if "loop" in block.model_fields_set else ():
        for search, searched in entry.searches():
            if searched.awaits_range_test and searched.ladder_name == "lr":
                key = ("optimizers", entry.name, *search.hyperparameter.split("."), "start")
                yield Problem(
                    key,
                    f"{'.'.join(key)} is auto, but a range test raises the rate each iteration, which is the loop's "
                    "own affair; give a number",
                )


_NOT_FOR_LOOPS = {
    "recipe": "it makes its own updates",
    "metric.examples": "it makes its own evaluations",
    "metric.curve_examples": "it makes its own evaluations",
}


def _budget_problems(block: TaskBlock) -> Iterator[Problem]:
    budget, window = block.budget, block.metric.window
    if budget.evaluate_every > budget.iterations:
        yield Problem(
            ("budget", "evaluate_every"),
            f"budget.evaluate_every is {budget.evaluate_every}, more than budget.iterations; "
            f"give at most {budget.iterations}",
        )
    elif (evaluations := -(-budget.iterations // budget.evaluate_every)) > _MOST_EVALUATIONS:
        yield Problem(
            ("budget", "evaluate_every"),
            f"budget.evaluate_every is {budget.evaluate_every}, which asks for {evaluations} evaluations of each "
            f"training; give at least {-(-budget.iterations // _MOST_EVALUATIONS)}",
        )
    elif window > evaluations:
        yield Problem(
            ("metric", "window"),
            f"metric.window is {window}, more than the {evaluations} evaluations after iteration 0; "
            f"give at most {evaluations}, or evaluate more often",
        )


def _search_problems(block: TaskBlock) -> Iterator[Problem]:
    metric, search = block.metric, block.search
    if metric.mode == "max" and metric.lower_bound is not None:
        yield Problem(
            ("metric", "lower_bound"),
            "metric.lower_bound bounds a metric that is to be low, and metric.mode is max; leave it out",
        )
    if metric.kind == "accuracy" and metric.mode == "min":
        given = "" if "mode" in metric.model_fields_set else " unless given"
        yield Problem(
            ("metric", "kind"),
            f"metric.kind is accuracy, which is to be high, and metric.mode is min{given}; write mode: max, or leave "
            "kind out",
        )
    if (
        metric.take == "best"
        and "curve_examples" in metric.model_fields_set
        and metric.curve_examples != metric.examples
    ):
        yield Problem(
            ("metric", "curve_examples"),
            "metric.curve_examples differs from metric.examples, and with metric.take: best every evaluation may "
            "decide; leave it out",
        )
    if metric.mode == "max" and search.race:
        yield Problem(
            ("search", "race"),
            "search.race compares losses, which are to be low, and metric.mode is max; leave race out",
        )
    if search.resolve and search.race:
        yield Problem(
            ("search", "race"),
            "search.race ends trainings whose ends search.resolve compares, so that hardly anything would be resolved; "
            "leave one of them out",
        )
    seeds = block.seeds
    if not isinstance(seeds, int) and seeds.screen > seeds.confirm:
        yield Problem(
            ("seeds", "screen"),
            f"seeds.screen is {seeds.screen}, more than seeds.confirm; give at most {seeds.confirm}",
        )
    least, named = (seeds, "seeds") if isinstance(seeds, int) else (seeds.confirm, "seeds.confirm")
    if search.resolve and search.max_seeds < least:
        given = "" if "max_seeds" in search.model_fields_set else " unless given"
        yield Problem(
            ("search", "max_seeds"),
            f"search.max_seeds is {search.max_seeds}{given}, less than {named}, {least}; give at least {least}",
        )


def _settings(block: TaskBlock) -> SearchSettings:
    search = block.search
    return SearchSettings(
        tolerance=search.tolerance,
        prefer=search.prefer,
        resolve=search.resolve,
        max_seeds=search.max_seeds,
        patience=search.patience,
        race=search.race,
        screen=None if isinstance(block.seeds, int) else block.seeds.screen,
        kind=block.metric.kind,
    )


def _number_of(examples: int | Literal["all"]) -> int | None:
    return None if examples == "all" else examples


def text_of(path: str | Path) -> str:
    """Read the text of a task file, or of a comparison.

    Raises:
        TaskError: it cannot be read, or is no text of a size that such a file has.
    """
    content = _bytes_of(path)
    if len(content) > _LARGEST_FILE:
        raise TaskError(str(path), "is larger than 64 KiB, which no task file is; check the path")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise TaskError(str(path), "is UTF-16 text; save the file as UTF-8")
    if b"\0" in content:
        raise TaskError(str(path), "is a binary file; give a task file, which is YAML text")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", errors="replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise TaskError(f"{path}:{line}:{column}", "is not UTF-8 text here; save the file as UTF-8") from None


def _bytes_of(path: str | Path) -> bytes:
    try:
        file = Path(path)
        if file.is_dir():
            raise TaskError(str(path), "is a folder; give a task file, such as " + str(file / "task.yaml"))
        if file.exists() and not file.is_file():
            raise TaskError(str(path), "is not an ordinary file; give a task file")
        with file.open("rb") as stream:
            return stream.read(_LARGEST_FILE + 1)
    except FileNotFoundError:
        raise TaskError(str(path), f"does not exist; {_beside(Path(path))}") from None
    except PermissionError:
        raise TaskError(str(path), "cannot be read; give yourself permission to read it") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise TaskError(str(path), f"cannot be read ({reason}); check the path") from None


def _beside(path: Path) -> str:
    try:
        files = [str(file) for file in sorted(path.parent.glob("*.y*ml"))]
    except OSError:
        files = []
    near = difflib.get_close_matches(str(path), files, n=1)
    return f"did you mean {near[0]}?" if near else "check the path, or write a first task with: lrsearch init"


def _resources(block: ResourcesBlock) -> Resources:
    given = block.model_dump()
    return Resources(**{**given, "pack": None if given["pack"] == "auto" else given["pack"]})
