"""Seeds for generators, from several numbers."""

import numpy as np


def seed_of(*words: int) -> int:
    """Give one 63-bit seed for a generator from several numbers (a replica's seed, an epoch), well mixed."""
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> 1)
