"""The site is built without a warning, from pages and links that are all there, and loads nothing from elsewhere."""

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
LOADING = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}
"""Elements that a browser loads something for, with the attribute that says from where."""


class Loads(HTMLParser):
    """Collects what a page makes the browser load."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get(LOADING.get(tag, ""))
        if address and dict(attrs).get("rel") != "canonical":
            self.addresses.append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as ``mkdocs build --strict`` makes it."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=CHECKOUT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert built.returncode == 0, built.stderr
    return folder


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    found = {}
    for page in site.rglob("*.html"):
        loads = Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        found[page.name] = [a for a in loads.addresses if a.startswith(("http:", "https:", "//"))]
    assert len(found) > 10
    assert not any(found.values()), found


def test_the_command_line_is_the_one_there_is(site: Path) -> None:
    text = (site / "commands.html").read_text(encoding="utf-8")
    assert all(name in text for name in ("lrsearch run", "lrsearch explain", "--dry-run", "LRSEARCH_STUDIES"))


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    import cprop
    import lrsearch

    text = (site / "api.html").read_text(encoding="utf-8")
    names = [f"lrsearch.{name}" for name in lrsearch.__all__] + [f"cprop.{name}" for name in cprop.__all__]
    assert [name for name in names if f'id="{name}"' not in text] == []
