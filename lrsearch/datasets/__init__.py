"""Data sets as tensors, and their files: found, checked, listed and fetched.

    from lrsearch import datasets

    data = datasets.fashion_mnist()
    data.train_images.shape  # [60000, 28, 28], uint8

The next data set is an entry in ``catalogue.py`` and a reader in a file of its own.
"""

from lrsearch.datasets.catalogue import CATALOGUE, DataSet, File
from lrsearch.datasets.cifar100 import cifar100 as cifar100
from lrsearch.datasets.fashion_mnist import fashion_mnist as fashion_mnist
from lrsearch.datasets.fetching import fetch
from lrsearch.datasets.files import FileStatus, Status, status
from lrsearch.datasets.images import Images
from lrsearch.datasets.penn_treebank import Text
from lrsearch.datasets.penn_treebank import penn_treebank as penn_treebank
from lrsearch.datasets.tiny_imagenet import tiny_imagenet as tiny_imagenet

__all__ = [
    "CATALOGUE",
    "DataSet",
    "File",
    "FileStatus",
    "Images",
    "Status",
    "Text",
    "cifar100",
    "fashion_mnist",
    "fetch",
    "penn_treebank",
    "status",
    "tiny_imagenet",
]
