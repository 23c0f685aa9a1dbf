"""A noisy quadratic: its best learning rate follows from its spectrum.

The loss is 1/2 sum_i h_i x_i^2; SGD sees its gradient plus noise of variance ``noise``^2 in every coordinate:

    x_i <- (1 - lr h_i) x_i - lr noise z_i,     z_i ~ N(0, 1)

As the noise is independent of x with mean 0, the second moments go their way one by one:

    E x_i^2 <- (1 - lr h_i)^2 E x_i^2 + lr^2 noise^2

A small rate forgets the start slowly along small h_i, a large one keeps more noise: the best is in between.
Above 2 / max h_i the loss grows without end.
"""

import torch
from torch import Tensor, nn

from lrsearch import Workload
from lrsearch.workload import seed_of


class Quadratic(nn.Module):
    """The point x, begun at N(0, 1) in every coordinate."""

    def __init__(self, spectrum: Tensor) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.randn(len(spectrum)))
        self.register_buffer("spectrum", spectrum.to(torch.float32))

    def forward(self, noise: Tensor | float = 0.0) -> Tensor:
        """Give the loss, exact without noise; its gradient is h x + noise."""
        return (self.spectrum / 2 * self.x**2 + noise * self.x).sum()


class Noise:
    """Batches that are noise: a function of seed and iteration, the same for every learning rate."""

    def __init__(self, dimensions: int, scale: float, device: torch.device | str = "cpu") -> None:
        self.dimensions, self.scale, self.device = dimensions, scale, device

    def batch(self, seed: int, iteration: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed_of(seed, iteration))
        return (self.scale * torch.randn(self.dimensions, generator=generator)).to(self.device)

    def to(self, device: torch.device) -> "Noise":
        return Noise(self.dimensions, self.scale, device)


def noisy_quadratic(dimensions: int = 400, condition: float = 100.0, noise: float = 0.3) -> Workload:
    """Curvatures from 1 down to 1 / ``condition``; the metric is the exact loss."""
    return Workload(
        model=Quadratic(spectrum_of(dimensions, condition)),
        batches=Noise(dimensions, noise),
        loss=lambda model, noise: model(noise),
        metrics={"train_loss": lambda model, examples: model()},
    )


def spectrum_of(dimensions: int, condition: float) -> Tensor:
    """The curvatures h_i, evenly spread in their logarithm."""
    return torch.logspace(0, -1, dimensions, base=condition, dtype=torch.float64)


def expected_loss(
    lr: float, iterations: int, dimensions: int = 400, condition: float = 100.0, noise: float = 0.3
) -> float:
    """The exact mean loss of SGD after ``iterations`` updates, over all starts and all noise."""
    spectrum = spectrum_of(dimensions, condition)
    kept = (1 - lr * spectrum) ** 2
    second_moment = torch.ones_like(spectrum)
    for _ in range(iterations):
        second_moment = kept * second_moment + (lr * noise) ** 2
    return float((spectrum * second_moment).sum() / 2)
