"""The paper's choices beside ours: whole tables, and every state that a row can have."""

import io
import json
from collections.abc import Mapping
from math import log10, nan
from pathlib import Path

import pytest
from report_runs import Run, entry, lr, make_task
from rich.console import Console
from rich.text import Text
from stored_studies import STUDY, with_evidence

from lrsearch import load_task
from lrsearch.report.export import chosen
from lrsearch.report.paper import Agreement, Row, cells_of, compare, load_published, read_studies
from lrsearch.report.paper_table import paper_table, summary
from lrsearch.report.stored import StoredStudy
from lrsearch.task.model import Budget, Searched
from lrsearch.trial import SearchId, TrialSpec

CHECKOUT = Path(__file__).parents[2]
PUBLISHED = load_published()
TASKS = tuple(dict.fromkeys(cell.task for cell in cells_of(PUBLISHED)))
MADE_WITH = {"torch": "2.13.0+cpu", "device": "cpu", "date": "2026-11-23T11:40:00Z"}
SUBSET = "cifar100: 15,000 of 50,000 training and 5,000 of 10,000 test images (a subset)"


def loss_around(best: Mapping[str, float], noise: float = 0.0):
    """A loss with its valley at each entry's best value; nothing learns a decade and a half above it."""

    def loss(spec: TrialSpec, iteration: int) -> float:
        distance = log10(spec.hyperparameters[spec.search.hyperparameter] / best[spec.search.entry])
        if distance > 1.2 and iteration:
            return nan
        wobble = noise * ((spec.seed * 7 + spec.rung * 5) % 3 - 1)
        end = 0.3 * (1 + 0.2 * abs(distance) + wobble) + 0.01 * spec.seed
        return 2.3 + (end - 2.3) * iteration / 5000

    return loss


def study(
    name: str, best: Mapping[str, float], noise: float = 0.0, start: float | None = None, **made_with: str
):
    """The content of chosen.yaml after a real search of such losses, its trainings cut into few evaluations."""
    entries = {e: entry(e, "sgd", hyperparameters={"lr": lr(start or value)}) for e, value in best.items()}
    task = make_task(entries, name=name, budget=Budget(5000, 2500))
    run = Run(task, loss_around(best, noise)).go()
    return chosen(task, run.states().values(), MADE_WITH | made_with, "x")


def tuned_c(best: Mapping[str, float]):
    """The content of chosen.yaml of the search of c of CProp's alternatives."""
    entries = {
        e: entry(
            e, "sgd", hyperparameters={"lr": 0.3, "cprop.c": Searched(1, "c", (1, 81))}, wrapped_in_cprop=True
        )
        for e in best
    }
    task = make_task(entries, name="fashion_mnist_cprop", budget=Budget(5000, 2500))
    return chosen(task, Run(task, loss_around(best)).go().states().values(), MADE_WITH, "x")


def rows_of(*contents: Mapping[str, object]) -> dict[tuple[str, str], Row]:
    rows = compare(PUBLISHED, [StoredStudy.model_validate(content) for content in contents])
    return {(row.cell.task, row.cell.entry): row for row in rows}


TABLE = """\
                        value          loss at                       iterations
                    published   here published    here                of search
Fashion-MNIST, fully connected (figure 15)
  SGD                     0.1    0.1    0.3100  0.3100 same              45,000
  Adam                   1e-3   1e-3    0.3100  0.3100 same              45,000
  RMSProp                1e-3   1e-3    0.3100  0.3100 same              45,000
Fashion-MNIST, CNN (figure 16)
  SGD                     0.3    0.1    0.3386  0.3100 ties              45,000
  Adam                   3e-3                          not run
  RMSProp                3e-3                          not run
CIFAR-100, VGG11 (figure 17)
  SGD [1]                0.01    0.3 not tried  0.3100 differs           45,000
  Adam [1]               1e-4   3e-4    0.3386  0.3100 differs           45,000
  RMSProp                1e-4                          not run
CIFAR-100, ResNet18 (figure 18)
  SGD                    0.03                          not ended
  Adam                   1e-4                          not ended
  RMSProp                1e-4                          not ended
Tiny ImageNet, VGG16 (figure 19)
  SGD                    0.01                          not run
  Adam                   3e-5                          not run
  RMSProp                       1e-4            0.3100 not published     45,000
Tiny ImageNet, ResNet50 (figure 20)
  SGD                    0.01                          unreadable
  Adam                   1e-4                          unreadable
Penn Treebank, AWD-LSTM without dropout (figure 21)
  SGD                      30                          not run
  Adam                   1e-3                          not run
Penn Treebank, AWD-LSTM with dropout (figure 21)
  SGD                      30                          not run
  Adam                   3e-3                          not run
Fashion-MNIST, CNN: Adam by batch size (figure 22)
  batch size 4           1e-3                          not run
  batch size 8           1e-3                          not run
  batch size 16          3e-3   1e-3    0.3386  0.3100 differs           45,000
  batch size 32          3e-3                          not run
  batch size 64          3e-3                          not run
Fashion-MNIST, CNN: c of CProp's alternatives (figure 14)
  relative rate            27     27    0.3100  0.3100 same              75,000
  moment rate              27      9    0.3386  0.3100 differs           60,000

27 published choices: 4 the same here, 1 tied, 4 differ; 3 not ended, 2
unreadable, 13 not run.
[1] cifar100: 15,000 of 50,000 training and 5,000 of 10,000 test images (a
subset)
Losses: train_loss at the end of the search's trainings, mean over seeds. Ties:
another was chosen here, but the published one may be as good, with 95 %
confidence. Differs: another was chosen here, and the published one did worse or
was not tried.
"""


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Studies in every state that a table may have to show."""
    contents = [
        study("fashion_mnist_fc", {"sgd": 0.1, "adam": 1e-3, "rmsprop": 1e-3}),
        study("fashion_mnist_cnn", {"sgd": 0.1}, noise=0.08),
        study("cifar100_vgg11", {"sgd": 0.3, "adam": 3e-4}, data=SUBSET),
        study("tiny_imagenet_vgg16", {"rmsprop": 1e-4}),
        study("fashion_mnist_cnn_batch_sizes", {"adam_16": 1e-3}),
        tuned_c({"relative_rate": 27, "moment_rate": 9}),
    ]
    lacking = {"cifar100_resnet18": Agreement.NOT_ENDED, "tiny_imagenet_resnet50": Agreement.UNREADABLE}
    return compare(PUBLISHED, map(StoredStudy.model_validate, contents), lacking)


def drawn(rows: list[Row], width: int, **options: object) -> str:
    file = io.StringIO()
    Console(file=file, width=width, **options).print(paper_table(rows, width))
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def test_the_whole_table_at_80_columns(rows):
    assert drawn(rows, 80) == TABLE


def test_a_wide_terminal_gets_the_same_words_with_more_room(rows):
    assert drawn(rows, 120).split() == TABLE.split()
    assert max(map(len, drawn(rows, 120).splitlines()[:40])) > 80


def test_colour_adds_nothing_to_the_words(rows):
    coloured = drawn(rows, 80, force_terminal=True, color_system="truecolor")
    assert "\x1b[" in coloured
    assert "".join(Text.from_ansi(coloured).plain.split()) == "".join(TABLE.split())


def test_one_that_differs_is_one_that_differs(rows):
    assert summary([row for row in rows if row.cell.entry == "adam_16"]).endswith(", 1 differs.")


def test_json_has_the_rows_of_the_table(rows):
    dicts = json.loads(json.dumps([row.as_dict() for row in rows], allow_nan=False))
    assert dicts[7] == {
        "figure": 17,
        "title": "CIFAR-100, VGG11",
        "label": "Adam",
        "task": "cifar100_vgg11",
        "entry": "adam",
        "hyperparameter": "lr",
        "published": 1e-4,
        "agreement": "differs",
        "chosen": 3e-4,
        "mean": pytest.approx(0.31),
        "published_mean": pytest.approx(0.338627),
        "published_outcome": "learned",
        "metric": "train_loss",
        "iteration": 5000,
        "iterations": 45000,
        "resolved": True,
        "notes": [SUBSET],
    }


def test_every_search_of_the_paper_has_its_place():
    cells = list(cells_of(PUBLISHED))
    assert len(cells) == 31
    assert sum(cell.published is None for cell in cells) == 4
    assert {cell.figure for cell in cells} == {*range(14, 23)}


@pytest.mark.parametrize("name", [name for name in TASKS if (CHECKOUT / f"tasks/{name}.yaml").is_file()])
def test_the_task_searches_what_the_paper_published(name):
    task = load_task(CHECKOUT / f"tasks/{name}.yaml")
    wanted = {
        SearchId(c.entry, c.hyperparameter) for c in cells_of(PUBLISHED) if c.task == name and c.published
    }
    assert wanted <= task.searches().keys()


def test_the_studies_kept_here_are_readable():
    studies = read_studies(CHECKOUT / "studies", TASKS)
    assert {"fashion_mnist_fc", "fashion_mnist_cnn"} <= {study.task for study in studies.read}
    assert Agreement.UNREADABLE not in studies.lacking.values()


def test_a_value_below_which_nothing_learned_is_named_by_its_outcome():
    row = rows_of(study("penn_treebank_awd_lstm_no_dropout", {"sgd": 1.0}, start=30))[
        "penn_treebank_awd_lstm_no_dropout", "sgd"
    ]
    assert (row.agreement, row.published_outcome) == (Agreement.DIFFERS, "diverged")


def test_the_study_of_the_lstm_with_dropout_has_a_shorter_name():
    row = rows_of(study("penn_treebank_awd_lstm", {"sgd": 30.0}))["penn_treebank_awd_lstm", "sgd"]
    assert (row.cell.figure, row.agreement) == (21, Agreement.SAME)


@pytest.mark.parametrize(
    ("content", "agreement", "at_published"),
    [
        (STUDY, "differs", ("not_recorded", None)),
        (with_evidence(candidates={0.1: {"mean": 0.4}, 0.3: {"mean": 0.3}}), "differs", ("learned", 0.4)),
        (with_evidence(candidates={0.3: {"mean": 0.3}}), "differs", ("not_tried", None)),
        (with_evidence(candidates={0.1: {"outcome": "did_not_learn", "mean": 2.3}}), "differs", ("did_not_learn", 2.3)),
        (with_evidence(candidates={0.1: {"outcome": "unfinished"}}), "differs", ("unfinished", None)),
        (with_evidence(ties=[0.1]), "ties", ("not_recorded", None)),
        (with_evidence(0.1), "same", ("learned", 0.3)),
        (with_evidence(None, verdict="none_learned", mean=None), "nothing_learned", ("not_recorded", None)),
        (with_evidence(None, verdict="unfinished"), "not_ended", (None, None)),
        (with_evidence(None, verdict="not_searched"), "not_ended", (None, None)),
        (STUDY | {"chosen": {}}, "not_run", (None, None)),
        (STUDY | {"chosen": {"sgd": {"hyperparameters": {"lr": 0.1}}}}, "not_run", (None, None)),
    ],
)  # fmt: skip
def test_how_a_choice_agrees(content, agreement, at_published):
    row = rows_of(content)["fashion_mnist_fc", "sgd"]
    assert (row.agreement.value, (row.published_outcome, row.published_mean)) == (agreement, at_published)


@pytest.mark.parametrize(
    ("content", "notes"),
    [
        (STUDY, ()),
        (STUDY | {"made_with": {"data": SUBSET}}, (SUBSET,)),
        (
            STUDY | {"metric": {"name": "train_loss", "iteration": 1500}},
            ("1,500 iterations a training, where the paper has 5,000",),
        ),
        (with_evidence(seeds=1), ("1 seed, where the paper has 3",)),
        (with_evidence(seeds=5), ()),
        (
            with_evidence(verdict="at_limit"),
            ("ended at a limit of the search (search.limits), beyond which it may be better",),
        ),
        (STUDY | {"lrsearch": "0.0.9"}, ("by lrsearch 0.0.9",)),
    ],
)
def test_what_sets_a_search_apart_from_the_papers_is_noted(content, notes):
    assert rows_of(content)["fashion_mnist_fc", "sgd"].notes == notes
