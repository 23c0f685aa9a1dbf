"""Packs: replicas that train in one process in lock-step, their parameters the rows of one matrix."""
