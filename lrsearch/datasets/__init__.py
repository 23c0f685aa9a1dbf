"""Data sets as tensors, and their files: found, checked, listed and fetched.

    from lrsearch import datasets

    data = datasets.fashion_mnist()
    data.train_images.shape  # [60000, 28, 28], uint8

The next data set is an entry in ``catalogue.py`` and a reader in a file of its own.
"""

from lrsearch.datasets.catalogue import CATALOGUE, DataSet, File
from lrsearch.datasets.fashion_mnist import Images
from lrsearch.datasets.fashion_mnist import fashion_mnist as fashion_mnist
from lrsearch.datasets.fetching import fetch
from lrsearch.datasets.files import FileStatus, Status, status

__all__ = [
    "CATALOGUE",
    "DataSet",
    "File",
    "FileStatus",
    "Images",
    "Status",
    "fashion_mnist",
    "fetch",
    "status",
]
