"""``lrsearch paper``: what goes where, and what it imports."""

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "ray", "optuna", "scipy", "matplotlib", "numpy", "pandas")
CHOSEN = """\
lrsearch: 0.0.9
task: fashion_mnist_fc
metric: {name: train_loss, iteration: 5000, window: 1}
chosen:
  sgd:
    hyperparameters: {lr: 0.3}
    searches:
      lr:
        verdict: bracketed
        resolved: true
        mean: 0.31
        seeds: 3
        ties: []
        iterations: 45000
        candidates:
          0.1: {mean: 0.35, std: 0.01, seeds: 3}
          0.3: {mean: 0.31, std: 0.01, seeds: 3}
          1.0: {outcome: diverged, seeds: 3, seeds_diverged: 3}
made_with: {data: 'fashion_mnist: 6,000 of 60,000 training images (a subset)'}
"""
ROWS = """\
  SGD [1, 2]              0.1    0.3    0.3500  0.3100 differs           45,000
  Adam                   1e-3                          not run
  RMSProp                1e-3                          not run
Fashion-MNIST, CNN (figure 16)
  SGD                     0.3                          not ended
"""
END = """\
27 published choices: 0 the same here, 0 tied, 1 differs; 3 not ended, 23 not
run.
[1] fashion_mnist: 6,000 of 60,000 training images (a subset)
[2] by lrsearch 0.0.9
Losses: train_loss at the end of the search's trainings, mean over seeds.
Differs: another was chosen here, and the published one did worse or was not
tried.
"""


@pytest.fixture
def problems(tmp_path) -> str:
    """Store a study that can be compared and one that has not ended; give what is to be said of them."""
    import lrsearch

    for name in ("fashion_mnist_fc", "fashion_mnist_cnn"):
        (tmp_path / "studies" / name).mkdir(parents=True)
    (tmp_path / "studies/fashion_mnist_fc/chosen.yaml").write_text(CHOSEN)
    return (
        f"studies/fashion_mnist_fc/chosen.yaml is by lrsearch 0.0.9, not {lrsearch.__version__}; write it anew: "
        "lrsearch export studies/fashion_mnist_fc -o studies/fashion_mnist_fc/chosen.yaml\n"
        "studies/fashion_mnist_cnn has no chosen.yaml: its searches have not all ended; go on with: lrsearch resume "
        "studies/fashion_mnist_cnn\n"
    )


def test_the_table_goes_out_and_what_is_amiss_to_standard_error(cli, problems):
    status, out, err = cli("paper")
    assert (status, err) == (0, problems)
    assert ROWS in out
    assert out.endswith(END)


def test_json_is_pure_and_has_the_same_rows(cli, problems):
    status, out, err = cli("paper", "--json")
    assert (status, err) == (0, problems)
    rows = json.loads(out)["rows"]
    assert len(rows) == 27
    assert (rows[0]["published"], rows[0]["chosen"], rows[0]["agreement"]) == (0.1, 0.3, "differs")


def test_without_any_study_all_is_there_as_not_run(cli):
    status, out, err = cli("paper", "--studies", "elsewhere")
    line = (
        "elsewhere is no folder of studies; lrsearch run TASK.yaml makes one, --studies DIR names another\n"
    )
    assert (status, err) == (0, line)
    assert out.count("not run") == 28  # a row each, and the sum


def test_nothing_heavy_is_imported(tmp_path, problems):
    code = (
        "import sys; from lrsearch.cli import main; main(['paper']);"
        f"print('loaded', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "loaded []"


def test_a_pipe_gets_plain_text(tmp_path, problems):
    done = subprocess.run(
        [sys.executable, "-m", "lrsearch.cli", "paper"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
