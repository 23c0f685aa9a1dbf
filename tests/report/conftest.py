import sys
from pathlib import Path

import pytest

# With --import-mode=importlib a test finds no module beside it, and these share one.
sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="session")
def finished():
    """The paper's five entries, all ended: one search unresolved, with ties and a candidate that diverged."""
    from report_runs import Run, paper_task

    return Run(paper_task()).go()
