"""``python -m lrsearch.cli`` is ``lrsearch``."""

import sys

from lrsearch.cli import main

if __name__ == "__main__":
    sys.exit(main())
