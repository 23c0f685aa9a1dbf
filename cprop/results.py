"""The version of what CProp computes, told without torch."""

RESULTS_VERSION = 1
"""Raised by hand when the same training gives other results than before: studies of before then do not go on."""
