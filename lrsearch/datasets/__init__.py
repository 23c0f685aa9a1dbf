"""Data sets as tensors, and their files: found, checked, listed and fetched.

    from lrsearch import datasets

    data = datasets.fashion_mnist()
    data.train_images.shape  # [60000, 28, 28], uint8

``loaded()`` says what a process has read. docs/data.md describes the sets, where their files are looked for and
how to add one.
"""

from lrsearch.datasets.catalogue import CATALOGUE, DataSet, File
from lrsearch.datasets.cifar100 import cifar100 as cifar100
from lrsearch.datasets.fashion_mnist import fashion_mnist as fashion_mnist
from lrsearch.datasets.fetching import fetch
from lrsearch.datasets.images import Images
from lrsearch.datasets.listing import FileStatus, Status, status
from lrsearch.datasets.loaded import Loaded
from lrsearch.datasets.penn_treebank import Text
from lrsearch.datasets.penn_treebank import penn_treebank as penn_treebank
from lrsearch.datasets.reading import loaded as loaded
from lrsearch.datasets.reading import noting as noting
from lrsearch.datasets.tiny_imagenet import tiny_imagenet as tiny_imagenet

__all__ = [
    "CATALOGUE",
    "DataSet",
    "File",
    "FileStatus",
    "Images",
    "Loaded",
    "Status",
    "Text",
    "cifar100",
    "fashion_mnist",
    "fetch",
    "loaded",
    "noting",
    "penn_treebank",
    "status",
    "tiny_imagenet",
]
