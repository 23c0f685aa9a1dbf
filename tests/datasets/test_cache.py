"""The decoded cache: shared by processes, written once, and never trusted without its checksum."""

import os
import pty
import random
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import filelock
import pytest
import small_sets

from lrsearch import datasets
from lrsearch.errors import DataError

READ = "from lrsearch import datasets; images = datasets.cifar100()"
SHOW = f"{READ}; print(int(images.train_images.sum()), *images.train_images.shape)"


@pytest.fixture
def small(cifar100_parts: small_sets.Parts, data: Path) -> Path:
    """A small archive, where it is looked for."""
    path = data / "cifar-100-python.tar.gz"
    path.write_bytes(small_sets.cifar100_archive(cifar100_parts))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "xdg" / "lrsearch" / "decoded"


@pytest.fixture
def forget(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let this process read anew, as another would."""
    return lambda: monkeypatch.setattr("lrsearch.datasets.reading._read", {})


def python(code: str, **more) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, **more)


def only(folder: Path) -> Path:
    (path,) = folder.glob("*.safetensors")
    return path


@pytest.mark.usefixtures("small")
def test_another_process_reads_the_same_without_decoding(folder: Path) -> None:
    first = python(SHOW)
    written = only(folder).stat().st_mtime_ns
    second = python(
        f"import sys, lrsearch.datasets\nsys.modules['lrsearch.datasets.cifar100'].decode = None\n{SHOW}"
    )
    assert first.stdout == second.stdout != "", second.stderr
    assert only(folder).stat().st_mtime_ns == written
    assert sorted(path.suffix for path in folder.iterdir()) == [".lock", ".safetensors"]


@pytest.mark.usefixtures("small")
def test_what_is_mapped_is_shared(folder: Path) -> None:
    datasets.cifar100()
    maps = Path("/proc/self/smaps").read_text().split(str(only(folder)))
    assert len(maps) == 2, "mapped once"
    sizes = re.findall(r"^(\w+): +(\d+) kB$", maps[1], re.MULTILINE)
    about = dict(reversed(sizes))  # the first of each: the rest is about other maps
    assert int(about["Rss"]) > 900, "all its pages are there, as they were checked"
    assert int(about["Anonymous"]) == 0, "and none is a copy of this process's own"


@pytest.mark.usefixtures("small")
def test_what_a_process_writes_into_its_tensors_stays_its_own(
    folder: Path, forget: Callable[[], None]
) -> None:
    before = only_content(folder)
    images = datasets.cifar100()
    images.train_images[0] = 0
    assert only_content(folder) == before
    forget()
    assert int(datasets.cifar100().train_images[0].sum()) > 0


def only_content(folder: Path) -> bytes:
    datasets.cifar100()
    return only(folder).read_bytes()


def test_another_source_is_another_file(
    small: Path, folder: Path, cifar100_parts: small_sets.Parts, forget: Callable[[], None]
) -> None:
    first = datasets.cifar100()
    forget()
    few = {key: value[:50] for key, value in cifar100_parts["test"].items()}
    small.write_bytes(small_sets.cifar100_archive(cifar100_parts | {"test": few}))
    assert len(datasets.cifar100().test_images) == 50
    assert len(first.test_images) == 100
    assert len(list(folder.glob("*.safetensors"))) == 2


def test_a_damaged_file_is_made_anew_with_one_line(
    small: Path, folder: Path, forget: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    images = datasets.cifar100()
    right = {name: getattr(images, name).clone() for name in type(images).__slots__}
    path = only(folder)
    whole = path.read_bytes()
    place = random.Random(small_sets.SEED)
    header = int.from_bytes(whole[:8], "little")
    flips = [*range(8), *(place.randrange(8, header + 8) for _ in range(40)), len(whole) - 1]
    flips += [place.randrange(header, len(whole)) for _ in range(20)]
    damages = [bytes([*whole[:at], whole[at] ^ place.randrange(1, 256), *whole[at + 1 :]]) for at in flips]
    for damaged in [
        *damages,
        *(whole[:length] for length in (0, 4, 8, 500, len(whole) // 2, len(whole) - 1)),
    ]:
        # Another file in its place, as damage under a mapping would reach what is mapped.
        path.unlink()
        path.write_bytes(damaged)
        forget()
        images = datasets.cifar100()
        assert small_sets.same({name: getattr(images, name) for name in right}, right)
        assert capsys.readouterr().err == f"{path} is damaged; it is made anew from {small}\n"
        forget()
        datasets.cifar100()
        assert capsys.readouterr().err == "", "it is whole again"


@pytest.mark.usefixtures("small")
def test_a_cache_of_another_source_under_its_name_is_made_anew(
    folder: Path, forget: Callable[[], None], small: Path, cifar100_parts: small_sets.Parts
) -> None:
    datasets.cifar100()
    first = only(folder)
    forget()
    few = {key: value[:50] for key, value in cifar100_parts["test"].items()}
    small.write_bytes(small_sets.cifar100_archive(cifar100_parts | {"test": few}))
    datasets.cifar100()
    (second,) = set(folder.glob("*.safetensors")) - {first}
    second.write_bytes(first.read_bytes())
    forget()
    assert len(datasets.cifar100().test_images) == 50


def test_a_damaged_file_whose_source_is_gone_is_an_error_about_the_source(
    small: Path, folder: Path, forget: Callable[[], None]
) -> None:
    datasets.cifar100()
    only(folder).write_bytes(b"")
    small.unlink()
    forget()
    with pytest.raises(DataError, match=r"cifar-100-python\.tar\.gz is not in "):
        datasets.cifar100()


@pytest.mark.usefixtures("small")
def test_of_many_processes_that_ask_at_once_one_decodes(tmp_path: Path) -> None:
    code = f"""
import os, pathlib
from lrsearch.datasets import cifar100
from lrsearch.datasets.cifar100 import decode
import sys
module = sys.modules["lrsearch.datasets.cifar100"]
def counted(source):
    pathlib.Path({str(tmp_path)!r}, f"decoded-{{os.getpid()}}").touch()
    return decode(source)
module.decode = counted
print("ready", flush=True)
sys.stdin.readline()
{SHOW}
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, stderr=-1, text=True)
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    said = [process.communicate("go\n") for process in processes]
    assert len({out for out, _ in said}) == 1
    assert {err for _, err in said} == {""}
    assert len(list(tmp_path.glob("decoded-*"))) == 1


@pytest.mark.usefixtures("small")
def test_threads_that_ask_at_once_get_the_same_tensors() -> None:
    found: list[datasets.Images] = []
    threads = [threading.Thread(target=lambda: found.append(datasets.cifar100())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {id(images) for images in found} == {id(datasets.cifar100())}
    assert len(datasets.loaded()) == 1


@pytest.mark.usefixtures("small")
def test_who_waits_for_another_process_says_for_what_on_a_terminal(folder: Path) -> None:
    datasets.cifar100()
    path = only(folder)
    path.unlink()
    ours, theirs = pty.openpty()
    with filelock.FileLock(path.with_suffix(".lock")):
        process = subprocess.Popen([sys.executable, "-c", SHOW], stdout=-1, stderr=theirs, text=True)
        with open(ours, encoding="utf-8") as terminal:
            line = terminal.readline()
    out, _ = process.communicate()
    os.close(theirs)
    assert line == "waiting for another process, which is decoding cifar100\n"
    assert out.split()[1:] == ["200", "3", "32", "32"]


@pytest.mark.usefixtures("small")
def test_a_process_that_is_killed_while_it_decodes_leaves_nothing_in_the_way(folder: Path) -> None:
    code = f"""
import sys, time
import lrsearch.datasets
def slow(source):
    print("decoding", flush=True)
    time.sleep(600)
sys.modules["lrsearch.datasets.cifar100"].decode = slow
{READ}
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=-1, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "decoding\n"
        process.send_signal(signal.SIGKILL)
    assert not list(folder.glob("*.safetensors"))
    assert datasets.cifar100().train_images.shape == (200, 3, 32, 32)


@pytest.mark.usefixtures("small")
def test_a_full_disk_is_one_line(folder: Path) -> None:
    # The system refuses to let a file grow past this as it refuses on a disk that is full.
    done = python(READ, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)))
    last = done.stderr.splitlines()[-1]
    assert last == (
        f"lrsearch.errors.DataError: {folder} cannot be written (File too large); "
        "make room there, allow it, or set XDG_CACHE_HOME to another folder"
    )
    assert [path.suffix for path in folder.iterdir()] == [".lock"]


@pytest.mark.usefixtures("small")
def test_a_folder_that_cannot_be_made_is_one_line(folder: Path) -> None:
    folder.parent.parent.mkdir()
    folder.parent.write_text("a file where the folder belongs")
    with pytest.raises(DataError) as caught:
        datasets.cifar100()
    assert re.fullmatch(
        rf"{folder} cannot be written \((Not a directory|File exists)\); "
        "make room there, allow it, or set XDG_CACHE_HOME to another folder",
        str(caught.value),
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.usefixtures("small")
def test_a_folder_that_may_not_be_written_is_one_line(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o500)
    with pytest.raises(DataError, match=rf"{folder} cannot be written \(Permission denied\)"):
        datasets.cifar100()


@pytest.mark.usefixtures("small")
def test_a_cache_that_is_there_is_read_where_nothing_may_be_written(
    folder: Path, forget: Callable[[], None]
) -> None:
    datasets.cifar100()
    only(folder).with_suffix(".lock").unlink()
    folder.chmod(0o500)
    forget()
    try:
        assert len(datasets.cifar100().train_images) == 200
        assert not list(folder.glob("*.lock")), "nothing was written"
    finally:
        folder.chmod(0o700)
