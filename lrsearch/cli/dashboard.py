"""``lrsearch dashboard``: a study in Optuna's dashboard."""

from contextlib import suppress
from typing import Annotated

import typer

from lrsearch.cli.options import DEFAULT_ROOT, Root, Storage, StudyName


def dashboard(
    study: StudyName,
    port: Annotated[
        int, typer.Option("--port", help="The port to listen on; 0 for a free one.", min=0, max=65535)
    ] = 8080,
    storage: Storage = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Open a study in optuna-dashboard, until Ctrl-C.

    On this machine only, and to look at only; a search may be running.
    """
    from lrsearch import studies
    from lrsearch.store.dashboard import dashboard as opened

    place = studies.place_of(study, root, storage)
    studies.read(place)  # says what is wrong with the name
    with opened(place.url, port) as (address, serve), suppress(KeyboardInterrupt):  # which is how it ends
        typer.echo(f"{place.name}: {address}, until Ctrl-C")
        serve()
