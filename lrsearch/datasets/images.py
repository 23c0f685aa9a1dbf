"""What a data set of labelled images is as tensors, and how what was read of one is put in a phrase."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lrsearch.datasets.cache import Decoded, Kind


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

    @classmethod
    def of(cls, tensors: dict[str, Tensor]) -> "Images":
        """Make them of tensors by the names of the fields."""
        return cls(**tensors)


def decoded_images(
    name: str, images: Images, *, classes: int, train: int, test: int, published: bool
) -> Decoded:
    """Say what images were read, for the cache and for summaries.

    Args:
        name: the data set's.
        images: what was read; each label in 0 to ``classes - 1``.
        classes: how many classes the published set has.
        train: how many training images the published set has.
        test: how many test images it has.
        published: whether the files were the published ones.

    Raises:
        ValueError: a part has no image.
    """
    found = len(images.train_labels), len(images.test_labels)
    if not all(found):
        raise ValueError(f"holds {found[0]:,} training and {found[1]:,} test images")
    kind: Kind = "published" if published else "other" if found == (train, test) else "subset"
    if kind == "subset":
        said = f"{found[0]:,} of {train:,} training and {found[1]:,} of {test:,} test images"
    else:
        said = f"{found[0]:,} training and {found[1]:,} test images"
    notes = {"published": [], "subset": ["a subset"], "other": ["not from the published files"]}[kind]
    notes += _lacking("training", images.train_labels, classes)
    notes += _lacking("test", images.test_labels, classes)
    summary = f"{name}: {said}" + (f" ({', '.join(notes)})" if notes else "")
    return Decoded({field: getattr(images, field) for field in Images.__slots__}, summary, kind)


def _lacking(part: str, labels: Tensor, classes: int) -> list[str]:
    lacking = torch.nonzero(labels.bincount(minlength=classes) == 0).flatten().tolist()
    if not lacking:
        return []
    shown = ", ".join(str(label) for label in lacking[:5])
    more = f" and {len(lacking) - 5} more" if len(lacking) > 5 else ""
    return [f"no {part} images of class{'es' if len(lacking) > 1 else ''} {shown}{more}"]
