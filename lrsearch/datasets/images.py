"""What a data set of labelled images is as tensors."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False, slots=True)
class Images:
    """Labelled images: uint8 pixels of 0 to 255, int64 labels ``[examples]`` counted from 0.

    Pixels are ``[examples, height, width]`` where the set is grey and ``[examples, 3, height, width]`` (red,
    green, blue) where it has colours. All who ask in one process get the same tensors: change none in place.
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
