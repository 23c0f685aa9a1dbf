"""What CProp refuses, each with the argument's name, its value and what it may be."""

import math
from collections.abc import Collection, Iterable, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor


def check_beta(beta: object) -> None:
    _check_number("beta", beta, "[0, 1)", lambda value: 0 <= value < 1)


def check_c(c: object) -> None:
    _check_number("c", c, "[0, inf]", lambda value: value >= 0)


def check_eps(eps: object) -> None:
    _check_number("eps", eps, "[0, inf)", lambda value: 0 <= value < math.inf)


def _check_number(name: str, value: object, interval: str, inside: Any) -> None:
    if not isinstance(value, Real):
        raise TypeError(f"{name} is {value!r}; give a number in {interval}")
    if not inside(value):
        raise ValueError(f"{name} is {value!r}; give a number in {interval}")


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; give one of {', '.join(map(repr, choices))}")


def check_gradient(grad: Tensor) -> None:
    if grad.layout is not torch.strided:
        raise TypeError(
            f"a gradient of shape {tuple(grad.shape)} is sparse; CProp scales dense gradients only"
        )
    if grad.is_complex():
        raise TypeError(
            f"a gradient of shape {tuple(grad.shape)} is complex; CProp scales real gradients only"
        )


def check_state_dict(state_dict: Any, wrapped: str, options: Iterable[str], moments: Collection[str]) -> None:
    """Refuse what is not the state of a CProp around an optimizer of class ``wrapped`` with these ``moments``."""
    if not isinstance(state_dict, dict) or not {"state", "param_groups"} <= state_dict.keys():
        raise ValueError(
            "state_dict has no 'state' and 'param_groups'; give what CProp.state_dict() returned"
        )
    missing = {name for group in state_dict["param_groups"] for name in options if name not in group}
    if missing:
        raise ValueError(
            f"state_dict has param_groups without {', '.join(map(repr, sorted(missing)))}: it is a bare optimizer's, "
            "and this one is wrapped in CProp; load it into the bare optimizer before wrapping that"
        )
    saved = state_dict.get("cprop", {}).get("optimizer", wrapped)
    if saved != wrapped:
        raise ValueError(f"state_dict is of a CProp around {saved}; this one is around {wrapped}")
    for state in state_dict["state"].values():
        found = {name for name in state if str(name).startswith("cprop_")}
        if found and found != set(moments):
            raise ValueError(
                f"state_dict holds {', '.join(sorted(found))}; this optimizer's measure keeps "
                f"{', '.join(sorted(moments))}: give the measure that the state was saved with"
            )
