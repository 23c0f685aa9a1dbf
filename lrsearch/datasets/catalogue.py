"""The data sets that lrsearch reads: what their files are called, what they must hold, where they come from.

To add one: an entry here, and a reader that gives tensors in a file of its own beside this one
(``fashion_mnist.py`` shows how), taken up in ``__init__.py``. Finding, checking, fetching and listing then
work as for the others.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class File:
    """One file as its authors distribute it; ``size`` is in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set's files, and the addresses that their names are appended to, tried in order."""

    name: str
    title: str
    licence: str
    source: str
    mirrors: tuple[str, ...]
    files: tuple[File, ...]

    @property
    def size(self) -> int:
        """What all files take together, in bytes."""
        return sum(file.size for file in self.files)


_FASHION_MNIST = DataSet(
    name="fashion_mnist",
    title="Fashion-MNIST: 60,000 + 10,000 grey images of 28 x 28 pixels, 10 classes (arXiv:1708.07747)",
    licence="MIT, Copyright (c) 2017 Zalando SE",
    source="https://github.com/zalandoresearch/fashion-mnist",
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    files=(
        File(
            name="train-images-idx3-ubyte.gz",
            sha256="3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            size=26_421_880,
        ),
        File(
            name="train-labels-idx1-ubyte.gz",
            sha256="a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            size=29_515,
        ),
        File(
            name="t10k-images-idx3-ubyte.gz",
            sha256="346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            size=4_422_102,
        ),
        File(
            name="t10k-labels-idx1-ubyte.gz",
            sha256="67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            size=5_148,
        ),
    ),
)

CATALOGUE: dict[str, DataSet] = {data_set.name: data_set for data_set in (_FASHION_MNIST,)}
