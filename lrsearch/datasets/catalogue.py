"""The data sets that lrsearch reads: what their files are called, what they must hold, where they come from.

To add one: an entry here, and a reader in a file of its own beside this one (docs/data.md says how). Finding,
checking, the decoded cache, fetching and listing then work as for the others.
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
    """A data set: its files, and what whoever wants them should know.

    Attributes:
        name: what the set is called in Python and on the command line.
        title: what it holds, in one line.
        licence: what its authors allow, in a phrase.
        source: where its authors describe it.
        mirrors: addresses that the files' names are appended to, tried in order; none where a set may not be
            passed on.
        files: the published files. A set of which subsets are read is one archive.
        subsets: a pattern of the names that an archive of a subset may have; empty where all files must be the
            published ones, because nothing else would say that they are whole.
        unpacked: the folder that the archive unpacks to, which is read in its place.
        members: of the unpacked folder, the files that are read, with their SHA-256.
        instead: what to do where ``mirrors`` is empty.
    """

    name: str
    title: str
    licence: str
    source: str
    mirrors: tuple[str, ...]
    files: tuple[File, ...]
    subsets: str = ""
    unpacked: str = ""
    members: tuple[tuple[str, str], ...] = ()
    instead: str = ""

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

_CIFAR100 = DataSet(
    name="cifar100",
    title="CIFAR-100: 50,000 + 10,000 RGB images of 32 x 32 pixels, 100 classes (Krizhevsky 2009)",
    licence="none stated; cite Krizhevsky (2009)",
    source="https://www.cs.toronto.edu/~kriz/cifar.html",
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
    files=(
        File(
            name="cifar-100-python.tar.gz",
            sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
            size=169_001_437,
        ),
    ),
    subsets="cifar-100-python*.tar.gz",
    unpacked="cifar-100-python",
    members=(
        ("train", "735e79b04f092ca3d2e6d07f368c0a7d70d48c48d28865950cc24454cf45129b"),
        ("test", "4b67687d9933c4db8f0831104447f15b93774f4f464bd0516f0f0f2ac83b7864"),
    ),
)

_TINY_IMAGENET = DataSet(
    name="tiny_imagenet",
    title="Tiny ImageNet: 100,000 + 10,000 RGB images of 64 x 64 pixels, 200 classes (Stanford CS231N)",
    licence="ImageNet's terms, non-commercial research and education only",
    source="http://cs231n.stanford.edu/tiny-imagenet-200.zip",
    mirrors=("http://cs231n.stanford.edu/",),
    files=(
        File(
            name="tiny-imagenet-200.zip",
            sha256="6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821",
            size=248_100_043,
        ),
    ),
    subsets="tiny-imagenet-200*.zip",
    unpacked="tiny-imagenet-200",
)

_PENN_TREEBANK = DataSet(
    name="penn_treebank",
    title="Penn Treebank, word level: 929,589 + 73,760 + 82,430 words, 10,000 different ones (Mikolov 2010)",
    licence="LDC99T42 (Linguistic Data Consortium)",
    source="https://catalog.ldc.upenn.edu/LDC99T42",
    mirrors=(),
    files=(
        File(
            name="ptb.train.txt",
            sha256="fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
            size=5_101_618,
        ),
        File(
            name="ptb.valid.txt",
            sha256="c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
            size=399_782,
        ),
        File(
            name="ptb.test.txt",
            sha256="dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
            size=449_945,
        ),
    ),
    instead="the licence forbids to redistribute it, so it is not fetched",
)

CATALOGUE: dict[str, DataSet] = {
    data_set.name: data_set for data_set in (_FASHION_MNIST, _CIFAR100, _TINY_IMAGENET, _PENN_TREEBANK)
}
