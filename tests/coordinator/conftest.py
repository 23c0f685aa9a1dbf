import sys
from pathlib import Path

# With --import-mode=importlib a test finds no module beside it, and these share one.
sys.path.append(str(Path(__file__).parent))
