"""How much CProp lowers the training loss of SGD and Adam on Fashion-MNIST (figure 2 of arXiv:1912.11493).

The paper's fully connected network (784-300-100-10, ReLU), batch size 32, no preprocessing but division by 255, the
paper's learning rates. The end loss is the mean over all 60,000 training images after the last iteration.

    LRSEARCH_DATA=FOLDER python benchmarks/cprop_fashion_mnist.py [--iterations 12000] [--seeds 3] [--json FILE]

FOLDER holds train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz.
"""

import argparse
import gzip
import json
import os
import statistics
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Adam, Optimizer

from cprop import CProp

OPTIMIZERS: dict[str, Callable[[Iterable[nn.Parameter]], Optimizer]] = {
    "SGD 0.1": lambda parameters: SGD(parameters, lr=0.1),
    "CProp-SGD 0.1": lambda parameters: CProp(SGD(parameters, lr=0.1), beta=0.999, c=1.0),
    "Adam 1e-3": lambda parameters: Adam(parameters, lr=1e-3),
    "CProp-Adam 1e-3": lambda parameters: CProp(Adam(parameters, lr=1e-3), beta=0.999, c=1.0),
}
BATCH_SIZE = 32


@dataclass(frozen=True)
class Run:
    """One training: its end loss and, with CProp, the mean scale of its last step."""

    optimizer: str
    seed: int
    loss: float
    mean_scale: float | None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--iterations", type=int, default=12_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if "LRSEARCH_DATA" not in os.environ:
        sys.exit("LRSEARCH_DATA is not set; let it name the folder of train-images-idx3-ubyte.gz")
    torch.set_num_threads(1)
    folder = Path(os.environ["LRSEARCH_DATA"])
    images = read_idx(folder / "train-images-idx3-ubyte.gz", header=16).view(-1, 784).float().div_(255)
    labels = read_idx(folder / "train-labels-idx1-ubyte.gz", header=8).long()
    runs = []
    for seed in range(arguments.seeds):
        for name in OPTIMIZERS:
            runs.append(train(name, seed, images, labels, arguments.iterations))
            print(runs[-1], file=sys.stderr, flush=True)
    print(table(runs))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(run) for run in runs], indent=1))


def read_idx(path: Path, header: int) -> Tensor:
    return torch.frombuffer(bytearray(gzip.decompress(path.read_bytes())), dtype=torch.uint8, offset=header)


def train(name: str, seed: int, images: Tensor, labels: Tensor, iterations: int) -> Run:
    """The same seed gives every optimizer the same initial weights and the same batches."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10))
    optimizer = OPTIMIZERS[name](model.parameters())
    generator = torch.Generator().manual_seed(seed)
    epochs = -(-iterations * BATCH_SIZE // len(images))
    order = torch.cat([torch.randperm(len(images), generator=generator) for _ in range(epochs)])
    for batch in order[: iterations * BATCH_SIZE].split(BATCH_SIZE):
        optimizer.zero_grad()
        cross_entropy(model(images[batch]), labels[batch]).backward()
        optimizer.step()
    with torch.no_grad():
        loss = cross_entropy(model(images), labels).item()
    return Run(name, seed, loss, optimizer.mean_scale() if isinstance(optimizer, CProp) else None)


def table(runs: list[Run]) -> str:
    """A row an optimizer, in markdown: loss and scale over the seeds, and what CProp took off the bare one's loss."""
    rows = ["| optimizer | end training loss | lower by | mean scale |", "|---|---|---|---|"]
    means: dict[str, float] = {}
    for name in OPTIMIZERS:
        own = [run for run in runs if run.optimizer == name]
        losses = [run.loss for run in own]
        scales = [run.mean_scale for run in own if run.mean_scale is not None]
        means[name] = statistics.mean(losses)
        lower = f"{1 - means[name] / means[name.removeprefix('CProp-')]:.1%}" if scales else ""
        rows.append(f"| {name} | {_spread(losses)} | {lower} | {_spread(scales) if scales else ''} |")
    return "\n".join(rows)


def _spread(values: list[float]) -> str:
    deviation = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.4f}{deviation}"


if __name__ == "__main__":
    main()
