"""The search of Fashion-MNIST FC under SGD, Adam and RMSProp, from the command line to chosen.yaml, without Ray."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

TASK = Path(__file__).parents[2] / "tasks" / "fashion_mnist_fc.yaml"
ENTRIES = ("sgd", "adam", "rmsprop")
GOAL_ON_A_GPU = 30.0


def measure(runs: int) -> dict[str, Any]:
    """Seconds, the median of the runs; with packs of a size that is found there, on a GPU if there is one."""
    cuda = torch.cuda.is_available()
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        # A task of its own only for the GPU; the workload is named beside the original.
        text = TASK.read_text(encoding="utf-8").replace("workload: ", f"workload: {TASK.parent}/")
        task = Path(folder) / TASK.name
        task.write_text(text + ("\nresources: {gpus: 1, pack: auto}\n" if cuda else ""), encoding="utf-8")
        for run in range(runs):
            only = [word for entry in ENTRIES for word in ("--only", entry)]
            studies = Path(folder) / f"studies{run}"
            command = [sys.executable, "-m", "lrsearch.cli", "run", str(task), "--engine", "inline", *only]
            began = time.perf_counter()
            subprocess.run([*command, "--studies", str(studies)], check=True)
            taken.append(time.perf_counter() - began)
            assert (studies / "fashion_mnist_fc" / "chosen.yaml").is_file()
    on = torch.cuda.get_device_name() if cuda else "cpu, one process"
    return {on: {"seconds": median(taken), "goal on a GPU": GOAL_ON_A_GPU}}
