"""Which file system a path lies on: on one that is reached over a network SQLite's locks do not hold."""

import os
from collections.abc import Iterable
from pathlib import Path

import psutil

from lrsearch.errors import UsageError

Mount = tuple[str, str]
"""A mount point and the type of the file system that is mounted there."""
_NETWORK = {
    *(
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
    ),
    *("orangefs", "panfs", "pvfs2", "smb2", "smb3", "smbfs", "afpfs", "webdav", "vboxsf", "virtiofs"),
}
"""Types of file systems that several machines may have mounted; the last two share a host's with its guests."""
_NETWORK_IN_USER_SPACE = {
    *(
        "ceph",
        "ceph-fuse",
        "davfs2",
        "gcsfuse",
        "glusterfs",
        "juicefs",
        "mfs",
        "rclone",
        "s3fs",
        "smbnetfs",
        "sshfs",
    ),
}


def mounts() -> list[Mount]:
    """Give what is mounted on this machine, in the order in which it was."""
    return [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]


def network_filesystem(path: Path, mounted: Iterable[Mount]) -> str | None:
    """Give the type of the network file system that a path lies on; None where it is on a local disk.

    Args:
        path: a file or folder, which need not be there yet.
        mounted: what is mounted, as ``mounts`` gives it. The longest mount point that leads to the path decides, and
            of several mounts at the same point the last, which hides the others.
    """
    wanted = path.resolve()
    leading = [
        (len(Path(point).parts), number, kind)
        for number, (point, kind) in enumerate(mounted)
        if wanted.is_relative_to(point)
    ]
    kind = max(leading)[2].lower() if leading else ""
    in_user_space = kind.startswith("fuse.") and kind.removeprefix("fuse.") in _NETWORK_IN_USER_SPACE
    return kind if kind in _NETWORK or in_user_space else None


def refuse_network(database: Path, mounted: Iterable[Mount]) -> None:
    """Refuse a SQLite file on a network file system.

    Raises:
        UsageError: it lies on one.
    """
    if (kind := network_filesystem(database, mounted)) is not None:
        shown = os.path.relpath(database) if database.is_relative_to(Path.cwd()) else database
        raise UsageError(
            f"{shown} is on a network file system ({kind}), where SQLite may lose what was written; put the "
            "studies on a local disk (--studies DIR), or use PostgreSQL (--storage postgresql+psycopg://...)"
        )
