"""task.yaml: what it says (``model``), how it is read and checked (``file``)."""

from lrsearch.task.model import Budget, Entry, Metric, Resources, Searched, Shared, Task

__all__ = ["Budget", "Entry", "Metric", "Resources", "Searched", "Shared", "Task"]
