"""What the page is put together from, as HTML."""

import re
from collections.abc import Iterable
from html import escape

from lrsearch.trial import SearchId


def table(caption: str, heads: Iterable[str], rows: Iterable[str], numbers: Iterable[int]) -> str:
    """Give a table that scrolls by itself where it is too wide.

    Args:
        caption: what it holds, for those who do not see it.
        heads: the heads of its columns; "" for a column without one.
        rows: its rows, as HTML.
        numbers: the columns of numbers, which stand on the right.
    """
    right = set(numbers)
    head = "".join(
        f'<th scope="col"{" class=number" if i in right else ""}>{escape(text)}</th>' if text else "<td></td>"
        for i, text in enumerate(heads)
    )
    body = "\n".join(rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def figure(svg: str, alternative: str, caption: str) -> str:
    """Give a picture with words for those who do not see it, and a caption."""
    return (
        f'<figure><div class="scroll" tabindex="0" role="img" aria-label="{escape(alternative)}">{svg}</div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def slug(search: SearchId) -> str:
    """Give a search's name as files and links have it."""
    return re.sub(r"[^\w.-]", "_", f"{search.entry}-{search.hyperparameter}")
