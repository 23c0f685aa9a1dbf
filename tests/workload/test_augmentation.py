"""``CropAndFlip``: every crop is a window of the padded image, drawn evenly, the same again from the same seed."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lrsearch import Batches, CropAndFlip


def plainly(image: torch.Tensor, top: int, left: int, mirrored: bool, padding: int) -> torch.Tensor:
    """One image cropped and mirrored step by step."""
    channels, height, width = image.shape
    padded = torch.zeros(channels, height + 2 * padding, width + 2 * padding, dtype=image.dtype)
    padded[:, padding : padding + height, padding : padding + width] = image
    cropped = padded[:, top : top + height, left : left + width]
    return cropped.flip(2) if mirrored else cropped


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(1, 7),
    st.integers(1, 7),
    st.integers(0, 4),
    st.integers(),
)
def test_a_batch_is_cropped_as_image_by_image(
    batch: int, channels: int, height: int, width: int, padding: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed % 2**60)
    images = torch.randint(256, (batch, channels, height, width), dtype=torch.uint8, generator=generator)
    augment = CropAndFlip(padding)
    drawn = augment.draw(batch, generator)
    one_by_one = [
        plainly(image, int(top), int(left), bool(mirrored), padding)
        for image, top, left, mirrored in zip(images, *drawn, strict=True)
    ]
    assert torch.equal(augment(images, *drawn), torch.stack(one_by_one))


def test_every_place_is_as_likely_and_half_are_mirrored() -> None:
    tops, lefts, mirrored = CropAndFlip(padding=4).draw(90_000, torch.Generator().manual_seed(0))
    for places in (tops, lefts):
        counts = torch.bincount(places.long(), minlength=9)
        assert len(counts) == 9
        # 10,000 of each are due, with a standard deviation of 94.
        assert (counts - 10_000).abs().max() < 5 * 94
    assert abs(mirrored.float().mean() - 0.5) < 5 * 0.5 / 300


def test_without_flip_nothing_is_mirrored() -> None:
    assert not CropAndFlip(padding=2, flip=False).draw(1000, torch.Generator().manual_seed(0))[2].any()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.arange(12 * 3 * 4 * 4).view(12, 3, 4, 4)


def test_an_augmented_batch_depends_on_seed_and_iteration_alone(images: torch.Tensor) -> None:
    one, two = (Batches(images, batch_size=5, augment=CropAndFlip(padding=1)) for _ in range(2))
    forward = [one.batch(3, iteration)[0] for iteration in range(6)]
    torch.manual_seed(1)
    backward = [two.batch(3, iteration)[0] for iteration in reversed(range(6))]
    assert all(torch.equal(a, b) for a, b in zip(forward, backward[::-1], strict=True))


def test_epochs_are_augmented_differently() -> None:
    image = torch.arange(3 * 8 * 8).view(1, 3, 8, 8)
    batches = Batches(image, batch_size=1, augment=CropAndFlip(padding=4))
    assert len({tuple(batches.batch(0, epoch)[0].flatten().tolist()) for epoch in range(20)}) > 10


def test_augmentation_leaves_the_order_as_it_is(images: torch.Tensor) -> None:
    """So that two arguments of one task, with and without it, are compared on the same examples."""
    labels = torch.arange(12)
    plain = Batches(images, labels, batch_size=4)
    augmented = Batches(images, labels, batch_size=4, augment=CropAndFlip(padding=1))
    assert all(torch.equal(plain.batch(7, i)[1], augmented.batch(7, i)[1]) for i in range(6))


def test_augmentation_comes_before_the_transform(images: torch.Tensor) -> None:
    batches = Batches(
        images + 1, batch_size=12, augment=CropAndFlip(padding=1), transform=lambda inputs: (inputs - 1,)
    )
    # Padding is 0 before the transform: -1 after it.
    assert batches.batch(0, 0)[0].min() == -1
