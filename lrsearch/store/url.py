"""Storage URLs as they may be shown: without passwords, wherever those stand."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qsl, unquote

import sqlalchemy

JOURNAL = "journal:///"
"""How the URL of a journal file of Optuna begins; its path follows, absolute if it begins with another slash."""
_SECRET = re.compile("pass|pwd|secret|token", re.IGNORECASE)
"""What the name of a secret in a URL's query holds."""


def journal_file(url: str) -> Path:
    """Give the file of a journal's URL, absolute: Optuna's lock of a relative one may wait for ever."""
    return Path(url.removeprefix(JOURNAL)).resolve()


def shown_url(url: str) -> str:
    """Give a storage URL without what may be secret in it: the password and the query."""
    with suppress(sqlalchemy.exc.ArgumentError, ValueError):
        parsed = sqlalchemy.make_url(url)
        if "@" not in (parsed.host or ""):
            return parsed.set(query={}).render_as_string(hide_password=True)
    # It cannot be parsed, or a password with an @ in it was taken for a host.
    return re.sub(r"^(.*?//)?.*@", r"\1***@", url.partition("?")[0])


def without_secrets(message: str, url: str) -> str:
    """Give a driver's message about a storage without what may be secret in its URL."""
    message = message.replace(url, shown_url(url))
    for secret in _secrets(url):
        message = message.replace(secret, "***")
    return message


def _secrets(url: str) -> Iterator[str]:
    """All that may be a password, as written and as meant."""
    place, _, query = url.partition("?")
    users = re.search(r"^(?:.*?//)?(.*)@", place)
    pieces = re.split("[:@]", users[1])[1:] if users else []
    for secret in (*pieces, *(value for name, value in parse_qsl(query) if _SECRET.search(name))):
        yield from filter(None, (secret, unquote(secret)))
