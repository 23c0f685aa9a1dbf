"""What a worker needs before its first training, imported at once by the processes that Ray keeps ready."""

import gc
from importlib import import_module

from lrsearch.engine.uncollected import uncollected

with uncollected():
    # Torch imports the second with a process's first optimizer, which takes as long as torch itself.
    for module in ("torch", "torch._dynamo", "lrsearch.engine.ray", "lrsearch.workload"):
        import_module(module)
gc.freeze()  # what was imported stays, so nothing need look for garbage in it
