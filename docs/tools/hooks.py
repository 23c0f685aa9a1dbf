"""What MkDocs asks while it makes the site: pages that are generated, and files of the project that pages link to."""

import re
import subprocess
import sys
from pathlib import Path
from posixpath import normpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

CHECKOUT = Path(__file__).parents[2]
PLACE = "project"
"""The folder of the site in which the project's own files lie."""
OUTSIDE = re.compile(r"(\]\(|src=\")\.\./([^)\s#\"]+)")
ROLE = re.compile(r":(class|func|meth|attr|mod):(?=<code>)")
LITERAL = re.compile(r"(?:<p>:|(:)):(?=</p>\s*<(?:pre|div))")
STUDIES_LINK = re.compile(r"(\]\()(?!\.\.|https?:|#)([^)\s#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages made from the command line and from the stored searches, and what pages link to outside docs/."""
    files.append(File.generated(config, "commands.md", content=_commands()))
    files.append(File.generated(config, "studies.md", content=_studies()))
    texts = [file.content_string for file in files.documentation_pages()]
    for name in sorted({match[2] for text in texts for match in OUTSIDE.finditer(text)}):
        if (CHECKOUT / name).is_file():
            files.append(File.generated(config, f"{PLACE}/{name}", abs_src_path=str(CHECKOUT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Point links that leave docs/ to the site's copies; what is not there stays, so that MkDocs warns of it."""
    return OUTSIDE.sub(
        lambda match: f"{match[1]}{PLACE}/{match[2]}" if (CHECKOUT / match[2]).is_file() else match[0],
        markdown,
    )


def on_page_content(html: str, **_: Any) -> str:
    """Take what reStructuredText adds to docstrings out of them."""
    return LITERAL.sub(r"\1", ROLE.sub("", html))


def _commands() -> str:
    """Give the reference of the command line as Typer writes it."""
    made = subprocess.run(
        [sys.executable, "-m", "typer", "lrsearch.cli.commands", "utils", "docs", "--name", "lrsearch"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout.replace("# `lrsearch`", "# Commands", 1)


def _studies() -> str:
    """Give the page of the stored searches, with the reports it speaks of a link away."""
    folder = CHECKOUT / "studies"
    text = (folder / "README.md").read_text(encoding="utf-8")
    text = STUDIES_LINK.sub(lambda match: f"{match[1]}../{normpath('studies/' + match[2])}", text)
    names = sorted(page.parent.name for page in folder.glob("*/report.html"))
    reports = [
        f"- `{n}`: [report](../studies/{n}/report.html), [chosen.yaml](../studies/{n}/chosen.yaml)"
        for n in names
    ]
    return "\n".join([text, "## The reports", "", *reports, ""])
