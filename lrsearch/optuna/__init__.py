"""The bracket as an Optuna sampler, for objectives that train a model and return its metric."""

from lrsearch.optuna.sampler import BracketSampler

__all__ = ["BracketSampler"]
