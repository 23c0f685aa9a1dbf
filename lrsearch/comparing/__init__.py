"""Comparison files: entries trained at given rates and set against each other."""

from lrsearch.comparing.file import load_comparison

__all__ = ["load_comparison"]
