"""How the command line starts: quickly, without what only some commands need."""

import subprocess
import sys
import time

HEAVY = ("torch", "ray", "optuna", "scipy", "matplotlib", "numpy", "pandas")
LONGEST = 0.4
HELP = """\
Usage: lrsearch [OPTIONS] COMMAND [ARGS]...

  Pick learning rates by the CProp paper's x3 bracket, and see the evidence.

Options:
  --version  Print the version.
  --debug    Show the traceback of an error.
  --help     Show this message and exit.

Commands:
  run        Search, or go on where it stopped: the same command resumes.
  resume     Go on with a study, from the task that it keeps.
  status     Show what is done, running and left; works while a run is on.
  explain    Show why each value was chosen.
  report     Draw curves and ends as an HTML page and pictures.
  export     Give the chosen values as YAML.
  dashboard  Open a study in optuna-dashboard, until Ctrl-C.
  paper      Show the paper's choices beside those of the stored studies.
  compare    Train entries at their chosen rates and set them in pairs.
  validate   Check task files and their optimizers.
  schema     Print the JSON schema of the task file, for editors.
  init       Write a first task file and its Python, which run as they are.
  data       List the data sets that are known, or fetch those named.
"""


def test_help(cli):
    assert cli("--help") == (0, HELP, "")


def test_no_arguments_give_the_help(cli):
    assert cli() == (0, HELP, "")


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from lrsearch.cli import main; main(['--help']);"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_help_answers_at_once():
    def seconds() -> float:
        began = time.perf_counter()
        command = [sys.executable, "-m", "lrsearch.cli", "--help"]
        subprocess.run(command, capture_output=True, check=True)
        return time.perf_counter() - began

    assert min(seconds() for _ in range(5)) < LONGEST  # the quickest: others may use the machine
