"""The methods by which optimizers swap the weights that they train for those that a model is to be evaluated by."""

Pair = tuple[str, str]
"""Names of methods without arguments: to the weights for evaluation, and back to those for training."""

# Averages: Schedule-Free (arXiv:2405.15682) in schedulefree and pytorch_optimizer, SPlus.
MODE: Pair = ("eval", "train")

# Slow weights: Lookahead (arXiv:1907.08610) in pytorch_optimizer, and as first published.
BACKUPS: tuple[Pair, ...] = (
    ("backup_and_load_cache", "clear_and_load_backup"),
    ("_backup_and_load_cache", "_clear_and_load_backup"),
)

SWAPS = (MODE, *BACKUPS)
SWAP_NAMES = frozenset(name for pair in SWAPS for name in pair)
