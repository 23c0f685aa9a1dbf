"""What a training that runs out of memory on the CPU really raises, under a limit of this process's own."""

import subprocess
import sys

import pytest

CODE = """
import resource

import torch

from lrsearch.training.train import is_transient

used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**26, resource.RLIM_INFINITY))
try:
    torch.zeros(2**26)
except RuntimeError as error:
    print(is_transient(error))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_memory_left_on_the_cpu_may_pass_by_itself() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr
