"""A chosen.yaml's content as a file from before candidates were kept has it; SGD's published rate is 0.1."""

import lrsearch

EVIDENCE = {
    "verdict": "bracketed",
    "resolved": True,
    "mean": 0.3,
    "seeds": 3,
    "ties": [],
    "iterations": 45000,
}
STUDY = {
    "lrsearch": lrsearch.__version__,
    "task": "fashion_mnist_fc",
    "metric": {"name": "train_loss", "iteration": 5000, "window": 1},
    "made_with": {"torch": "2.13.0+cpu", "device": "cpu", "date": "2026-11-23T11:40:00Z"},
    "chosen": {"sgd": {"optimizer": "sgd", "hyperparameters": {"lr": 0.3}, "searches": {"lr": EVIDENCE}}},
}


def with_evidence(value: float | None = 0.3, **evidence: object) -> dict[str, object]:
    searches = {"lr": EVIDENCE | evidence}
    return STUDY | {"chosen": {"sgd": {"hyperparameters": {"lr": value}, "searches": searches}}}
