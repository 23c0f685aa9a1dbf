"""Comparison files: entries trained at given rates and set against each other."""

from lrsearch.comparing.file import load_comparison, load_either

__all__ = ["load_comparison", "load_either"]
