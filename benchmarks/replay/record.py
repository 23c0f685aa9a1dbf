"""Record a table for the replay bench: every rung of a wide ladder trained once a seed, with its curve.

    LRSEARCH_DATA=DATA nohup python benchmarks/replay/record.py TABLE [--seeds 20] [--workers 2] [--work FOLDER]

TABLE is a task file beside this script, by its name without ``.yaml``; the ladder of each optimizer lies eight rungs
to each side of the start that the file names. Each result is on disk before the next begins; the same command goes on
after any kill. The table, ``tables/TABLE.npz``, holds the seeds that are whole; ``--export`` writes it from what
there is so far, also while a recording is on.
"""

import argparse
import os
import sqlite3
import sys
import tempfile
import threading
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context, parent_process
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # where the modules beside this one are, also in a worker
os.environ.setdefault("OMP_NUM_THREADS", "1")  # workers are processes; read when torch is imported there

from jobs import Job, Result, Results, jobs_of, perform  # noqa: E402

from lrsearch import load_task  # noqa: E402
from lrsearch.errors import LRSearchError  # noqa: E402
from lrsearch.task.model import Task  # noqa: E402


def main() -> None:
    """Read the command line and record."""
    tables = sorted(path.stem for path in HERE.glob("*.yaml"))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=tables)
    parser.add_argument("--seeds", type=int, default=20, help="trainings a rung (default: 20)")
    parser.add_argument("--workers", type=int, default=2, help="processes, of one thread each (default: 2)")
    parser.add_argument(
        "--work", type=Path, default=Path(tempfile.gettempdir(), "replay"), help="where results are kept"
    )
    parser.add_argument("--tables", type=Path, default=HERE / "tables", help="where the table is written")
    parser.add_argument("--export", action="store_true", help="train nothing; write what there is")
    arguments = parser.parse_args()
    if arguments.seeds < 1 or arguments.workers < 1:
        parser.error("--seeds and --workers take 1 or more")
    kept = arguments.work / f"{arguments.table}.db"
    try:
        task = load_task(HERE / f"{arguments.table}.yaml")
        results = Results(kept, task)
        if not arguments.export:
            record(task, results, arguments.seeds, arguments.workers, arguments.work / arguments.table)
        export(task, results, arguments.seeds, arguments.tables / f"{arguments.table}.npz")
    except (LRSearchError, RuntimeError, ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except sqlite3.Error as error:
        sys.exit(f"error: {kept} cannot be used ({error}); make room, allow it, or give another --work")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on")


def record(task: Task, results: Results, seeds: int, workers: int, checkpoints: Path) -> None:
    """Do all jobs that have no result yet, whole seeds first.

    Raises:
        RuntimeError: a training failed.
        ValueError: the results there are were made with something else.
    """
    results.check(task)
    jobs = [job for seed in range(seeds) for job in jobs_of(task, seed)]
    missing = results.missing(jobs)
    done = len(jobs) - len(missing)
    pool = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_begin_worker, initargs=(task.path,)
    )
    try:
        futures: dict[Future[Result], Job] = {pool.submit(_work, job, checkpoints): job for job in missing}
        for future in as_completed(futures):
            job, result = futures[future], future.result()
            results.keep(job, result)
            done += 1
            print(f"{done}/{len(jobs)} {job}: {_told(result)}", flush=True)
    finally:
        pool.shutdown(cancel_futures=True)


def export(task: Task, results: Results, seeds: int, path: Path) -> None:
    """Write the table of the whole seeds, and say how many there are."""
    from table import write_table  # imports torch, which only workers and this need

    if whole := write_table(task, results, seeds, path):
        print(f"{path}: {whole} of {seeds} seeds, {path.stat().st_size / 1000:.0f} kB")
    else:
        print(f"no seed of {task.name} is whole yet; nothing was written")


def _told(result: Result) -> str:
    if "losses" in result:
        return f"{len(result['losses'])} iterations"
    ending = f"{result['value']:.6g}" if "value" in result else f"diverged at {result['diverged_at']}"
    return f"{ending}, {result['seconds']:.1f} s"


_task: Task
"""A worker's task: read once, not sent with each job."""


def _begin_worker(path: Path) -> None:
    global _task
    _task = load_task(path)
    os.nice(19)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None, "runs in a worker"
    parent.join()
    os._exit(1)  # a worker waits for jobs for ever where the parent was killed


def _work(job: Job, checkpoints: Path) -> Result:
    return perform(_task, job, checkpoints)


if __name__ == "__main__":
    main()
