"""Every block of the README and of the site's pages does what it says: see pages.py for how."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import lrsearch

sys.path.append(str(Path(__file__).parent))

from pages import PAGES, Page, short_search

BLOCKS = [(page, line) for page in map(Page, PAGES) for line in page.blocks]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """The folders of the pages that were begun, by name."""
    folders: dict[str, Path] = {}
    yield folders
    for page, _ in BLOCKS:
        if page.name in folders:
            page.end()


@pytest.mark.parametrize(("page", "line"), [pytest.param(p, n, id=f"{p.name}:{n}") for p, n in BLOCKS])
def test_block(
    page: Page,
    line: int,
    begun: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if page.name not in begun:
        begun[page.name] = tmp_path_factory.mktemp("page")
        page.begin(begun[page.name])
    torch.set_num_threads(1)  # two on a busy machine are tens of times slower
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(lrsearch, "search", short_search, raising=False)
    # As for a script: what others see of its functions.
    monkeypatch.setitem(sys.modules, "__main__", page.module)
    monkeypatch.chdir(begun[page.name])
    monkeypatch.syspath_prepend(str(begun[page.name]))
    page.test(line)


def test_a_block_that_is_left_out_says_why() -> None:
    comments = [
        line for path in PAGES for line in path.read_text(encoding="utf-8").splitlines() if "skip:" in line
    ]
    assert not [line for line in comments if line.startswith("<!-- skip:") and '"' not in line]
