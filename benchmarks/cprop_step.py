"""What CProp adds to a step of SGD: time, memory traffic and, on CUDA, kernel launches.

    python benchmarks/cprop_step.py [--device cpu|cuda] [--models fc vgg11 resnet18 transformer] [--json FILE]

One thread; fresh random gradients in every step (constant ones would drive the statistics into corners that take
several times as long); medians of interleaved steps. "plain" is Algorithm 1 written tensor by tensor. "of plain" is
what a way adds to the bare step over what plain adds. The floor is the time to move seven parameter-sized arrays (read
gradient, two moments, parameter; write the last three) at the bandwidth of a large copy in the same run. Wrapping any
optimizer moves 13: copy 2, SGD 3, update 8; the pass that takes in plain SGD moves the 7.
"""

import argparse
import gc
import itertools
import json
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from cprop import CProp

Shapes = list[tuple[int, ...]]
# Parameter-sized arrays; any other way moves 13 or more.
MOVED = {"bare": 3, "blocks, SGD taken in": 7, "compile, SGD taken in": 7}
FLOOR = 7


def fc() -> Shapes:
    return [(300, 784), (300,), (100, 300), (100,), (10, 100), (10,)]


def vgg11() -> Shapes:
    channels = [3, 64, 128, 256, 256, 512, 512, 512, 512]
    shapes: Shapes = []
    for i, o in itertools.pairwise(channels):
        shapes += [(o, i, 3, 3), (o,), (o,)]  # convolution, normalisation
    return [*shapes, (100, 512), (100,)]


def resnet18() -> Shapes:
    shapes: Shapes = [(64, 3, 3, 3), (64,), (64,)]
    channels = [64, 64, 64, 128, 128, 256, 256, 512, 512]
    for i, o in itertools.pairwise(channels):
        shapes += [(o, i, 3, 3), (o,), (o,), (o, o, 3, 3), (o,), (o,)]
        if i != o:
            shapes += [(o, i, 1, 1), (o,), (o,)]
    return [*shapes, (100, 512), (100,)]


def transformer(width: int = 768, layers: int = 12, vocabulary: int = 20_000) -> Shapes:
    layer: Shapes = [(3 * width, width), (3 * width,), (width, width), (width,)]
    layer += [(4 * width, width), (4 * width,), (width, 4 * width), (width,), *[(width,)] * 4]
    return [(vocabulary, width), *layer * layers, (width,), (width,)]


MODELS = {"fc": fc, "vgg11": vgg11, "resnet18": resnet18, "transformer": transformer}


class PlainCProp:
    """SGD and then Algorithm 1 as it is printed (epsilon outside the root), one tensor operation after the other."""

    def __init__(self, optimizer: Optimizer, beta: float = 0.999, c: float = 1.0, eps: float = 1e-8) -> None:
        self.optimizer, self.beta, self.c, self.eps, self.t = optimizer, beta, c, eps, 0
        self.parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self.moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in self.parameters]

    @torch.no_grad()
    def step(self) -> None:
        self.t += 1
        before = [p.clone() for p in self.parameters]
        self.optimizer.step()
        correction = 1 - self.beta**self.t
        n = correction / (1 - self.beta)
        for p, old, (m, v) in zip(self.parameters, before, self.moments, strict=True):
            m.mul_(self.beta).add_(p.grad, alpha=1 - self.beta)
            v.mul_(self.beta).add_(p.grad**2, alpha=1 - self.beta)
            m_hat, v_hat = m / correction, v / correction
            sigma = ((v_hat - m_hat**2).clamp(min=0) / (n - 1 + self.eps)).sqrt() + self.eps
            p_below_0 = 0.5 * (1 + torch.erf(-m_hat / (sigma * math.sqrt(2))))
            scale = (2 * self.c * (p_below_0 - 0.5).abs()).clamp(max=1)
            p.copy_(old + scale * (p - old))


def watched(optimizer: Optimizer) -> Optimizer:
    """With a hook, which must be called, so that CProp lets the optimizer step as it would any other."""
    optimizer.register_step_post_hook(lambda *_: None)
    return optimizer


WAYS: dict[str, Callable[[Optimizer], PlainCProp | Optimizer]] = {
    "bare": lambda optimizer: optimizer,
    "plain": PlainCProp,
    "blocks": lambda optimizer: CProp(watched(optimizer), implementation="blocks"),
    "blocks, SGD taken in": lambda optimizer: CProp(optimizer, implementation="blocks"),
    "compile": lambda optimizer: CProp(watched(optimizer), implementation="compile"),
    "compile, SGD taken in": lambda optimizer: CProp(optimizer, implementation="compile"),
}


@dataclass(frozen=True)
class Row:
    model: str
    parameters: int
    way: str
    milliseconds: float
    added: float
    of_plain: float
    gigabytes: float
    times_floor: float


class Stepper:
    """A model's parameters with one way to step them, and how long its steps took."""

    def __init__(self, way: str, shapes: Shapes, device: str) -> None:
        self.parameters = [nn.Parameter(torch.randn(shape, device=device)) for shape in shapes]
        self.device, self.seconds = device, list[float]()
        self.step = WAYS[way](SGD(self.parameters, lr=0.1)).step

    def give(self, gradients: Sequence[Tensor]) -> None:
        for p, gradient in zip(self.parameters, gradients, strict=True):
            p.grad = gradient

    def timed_step(self) -> None:
        synchronize(self.device)
        start = time.perf_counter()
        self.step()
        synchronize(self.device)
        self.seconds.append(time.perf_counter() - start)


def synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def measure(model: str, device: str, repeats: int, warm_up: int = 3) -> list[Row]:
    shapes = MODELS[model]()
    ways = {way: Stepper(way, shapes, device) for way in WAYS}
    gradients = [torch.empty(shape, device=device) for shape in shapes]
    for repeat in range(warm_up + repeats):
        if repeat == warm_up:
            for stepper in ways.values():
                stepper.seconds.clear()
        for gradient in gradients:
            gradient.normal_(std=0.01)
        for stepper in ways.values():
            stepper.give(gradients)
            stepper.timed_step()
    seconds = {way: statistics.median(stepper.seconds) for way, stepper in ways.items()}
    return rows(model, sum(math.prod(shape) for shape in shapes), seconds, bandwidth(device))


def rows(model: str, parameters: int, seconds: dict[str, float], bytes_per_second: float) -> list[Row]:
    floor = FLOOR * 4 * parameters / bytes_per_second
    added = {way: value - seconds["bare"] for way, value in seconds.items()}
    return [
        Row(
            model=model,
            parameters=parameters,
            way=way,
            milliseconds=value * 1e3,
            added=added[way] * 1e3,
            of_plain=added[way] / added["plain"],
            gigabytes=MOVED.get(way, 13) * 4 * parameters / 1e9,
            times_floor=value / floor,
        )
        for way, value in seconds.items()
    ]


def bandwidth(device: str) -> float:
    """Bytes read and written in a second by a copy of 256 MiB, far more than any cache."""
    source = torch.ones(2**26, device=device)
    target = torch.empty_like(source)
    seconds = []
    for _ in range(7):
        synchronize(device)
        start = time.perf_counter()
        target.copy_(source)
        synchronize(device)
        seconds.append(time.perf_counter() - start)
    return 2 * 4 * source.numel() / statistics.median(seconds)


def captured(model: str, repeats: int) -> list[Row]:
    """As `measure`, each step replayed as a CUDA graph: the device's time without the calls' overhead."""
    shapes = MODELS[model]()
    gradients = [torch.randn(shape, device="cuda") * 0.01 for shape in shapes]
    seconds = {}
    for way in WAYS:
        if way == "plain" or way.startswith("blocks"):  # they count on the CPU
            continue
        stepper = Stepper(way, shapes, "cuda")
        stepper.give(gradients)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                stepper.step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            stepper.step()
        stepper.step = graph.replay
        for _ in range(repeats):
            for gradient in gradients:
                gradient.normal_(std=0.01)
            stepper.timed_step()
        seconds[way] = statistics.median(stepper.seconds)
    all_rows = rows(model, sum(map(math.prod, shapes)), {**seconds, "plain": math.inf}, bandwidth("cuda"))
    return [row for row in all_rows if row.way != "plain"]


def launches(way: str) -> int:
    """Kernels in one step of the fully connected network."""
    stepper = Stepper(way, fc(), "cuda")
    stepper.give([torch.randn(shape, device="cuda") for shape in fc()])
    for _ in range(3):
        stepper.timed_step()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        stepper.timed_step()
    on_device = [e for e in profile.events() if e.device_type == torch.autograd.DeviceType.CUDA]
    return sum(not event.name.startswith(("Memcpy", "Memset")) for event in on_device)


def table(all_rows: list[Row]) -> str:
    lines = [
        "| model | parameters | way | step, ms | added, ms | of plain | GB moved | times the floor |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in all_rows:
        share = f"{r.of_plain:.2f}" if r.way != "bare" and r.of_plain else ""
        lines.append(
            f"| {r.model} | {r.parameters:,} | {r.way} | {r.milliseconds:.2f} | {r.added:.2f} | {share} "
            f"| {r.gigabytes:.3f} | {r.times_floor:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument(
        "--repeats", type=int, default=0, help="steps of each way; 0: fewer for larger models"
    )
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("no CUDA device here: not measured")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    all_rows = []
    for model in arguments.models:
        repeats = arguments.repeats or {"fc": 100, "transformer": 7}.get(model, 15)
        all_rows += measure(model, arguments.device, repeats)
        gc.collect()
    print(table(all_rows))
    if arguments.device == "cuda":
        print("\nReplayed as CUDA graphs:\n")
        print(table([row for model in arguments.models for row in captured(model, 50)]))
        counts = {way: launches(way) for way in WAYS}
        print("\nKernels in a step of fc: " + ", ".join(f"{way} {count}" for way, count in counts.items()))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in all_rows], indent=1))


if __name__ == "__main__":
    main()
