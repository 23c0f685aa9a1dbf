"""SQLite is kept off file systems that are reached over a network."""

from pathlib import Path

import pytest

from lrsearch.errors import UsageError
from lrsearch.store.database import check_database
from lrsearch.store.filesystem import mounts, network_filesystem, refuse_network

MOUNTED = [
    ("/", "ext4"),
    ("/home", "nfs4"),
    ("/home/me/local", "xfs"),
    ("/homely", "ext4"),
    ("/mnt/a", "cifs"),
    ("/mnt/b", "fuse.sshfs"),
    ("/mnt/c", "fuse.encfs"),
    ("/mnt/d", "smb3"),
    ("/mnt/e", "lustre"),
    ("/mnt/twice", "nfs"),
    ("/mnt/twice", "ext4"),
]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/study.db", None),
        ("/home", "nfs4"),
        ("/home/me/study.db", "nfs4"),
        ("/home/me/local/study.db", None),
        ("/homely/study.db", None),
        ("/home/me/local/../study.db", "nfs4"),
        ("/mnt/a/x/y/study.db", "cifs"),
        ("/mnt/b/study.db", "fuse.sshfs"),
        ("/mnt/c/study.db", None),
        ("/mnt/d/study.db", "smb3"),
        ("/mnt/e/study.db", "lustre"),
        ("/mnt/twice/study.db", None),
    ],
)
def test_the_longest_mount_point_decides(path: str, kind: str | None) -> None:
    assert network_filesystem(Path(path), MOUNTED) == kind


def test_a_link_counts_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to(tmp_path / "far")
    mounted = [("/", "ext4"), (str(tmp_path.resolve() / "far"), "nfs")]
    assert network_filesystem(tmp_path / "near" / "study.db", mounted) == "nfs"


def test_the_refusal_names_the_kind_and_the_remedies() -> None:
    with pytest.raises(
        UsageError, match=r"/home/x.db is on a network file system \(nfs4\).*--studies.*PostgreSQL"
    ):
        refuse_network(Path("/home/x.db"), MOUNTED)


@pytest.mark.parametrize("url", ["sqlite:////home/x.db", "sqlite:////home/x.db?timeout=5"])
def test_a_database_there_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="network file system"):
        check_database(url, MOUNTED)


@pytest.mark.parametrize("url", ["postgresql://there/home", "journal:////home/x.log", "sqlite:////srv/x.db"])
def test_others_are_not(url: str) -> None:
    check_database(url, MOUNTED)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="keeps nothing; name a file"):
        check_database(url, MOUNTED)


def test_this_machine_has_mounts_and_its_temporary_folder_is_local(tmp_path: Path) -> None:
    assert "/" in dict(mounts())
    assert network_filesystem(tmp_path, mounts()) is None
