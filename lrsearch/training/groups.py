"""Parameter groups by the names of a model's parameters: no weight decay on biases, a smaller rate for a backbone."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from torch import Tensor, nn

from lrsearch.task.model import ParameterGroup


class GroupError(ValueError):
    """A group that cannot be made; ``index`` is its place in ``recipe.groups``, ``key`` what of it is wrong."""

    def __init__(self, message: str, index: int = 0, key: str = "match") -> None:
        super().__init__(message)
        self.index = index
        self.key = key


def parameter_groups(
    model_or_params: nn.Module | Iterable[Any], groups: Sequence[ParameterGroup], lr: float
) -> list[dict[str, Any]]:
    """Give a model's parameters in groups, as the optimizers of torch take them.

    What no pattern matches comes first, with the optimizer's own numbers, then each group in its order.

    Args:
        model_or_params: the model, or its ``named_parameters()``.
        groups: the first whose pattern fits a name takes it.
        lr: the learning rate that ``lr_times`` multiplies.

    Raises:
        GroupError: there are no names, or a pattern takes no parameter.
    """
    named = _named(model_or_params)
    members: list[list[tuple[str, Tensor]]] = [[] for _ in groups]
    others: list[tuple[str, Tensor]] = []
    for name, parameter in named:
        first = next((i for i, group in enumerate(groups) if fnmatchcase(name, group.match)), None)
        (others if first is None else members[first]).append((name, parameter))
    for index, taken in enumerate(members):
        if not taken:
            raise _takes_nothing(index, groups, [name for name, _ in named])
    made = [{"params": [parameter for _, parameter in others]}] if others else []
    return made + [
        {"params": [parameter for _, parameter in taken], "lr": lr * group.lr_times, **group.arguments}
        for group, taken in zip(groups, members, strict=True)
    ]


def _named(model_or_params: nn.Module | Iterable[Any]) -> list[tuple[str, Tensor]]:
    if isinstance(model_or_params, nn.Module):
        return list(model_or_params.named_parameters())
    given = list(model_or_params)
    if all(isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) for item in given):
        return given
    raise GroupError(
        "recipe.groups go by the names of parameters, and these have none; "
        "give the model, or model.named_parameters()"
    )


def _takes_nothing(index: int, groups: Sequence[ParameterGroup], names: Sequence[str]) -> GroupError:
    pattern = groups[index].match
    here = f'recipe.groups[{index}].match is "{pattern}", which'
    if any(fnmatchcase(name, pattern) for name in names):
        return GroupError(
            f"{here} matches only parameters that groups before it take; write it before them", index
        )
    bare = pattern.replace("*", "").replace("?", "")
    near = get_close_matches(bare, names, n=3, cutoff=0.4) or list(names[:3])
    # A pattern is most often of a name's end, such as *.bias.
    ends = [name for name in names if get_close_matches(bare.lstrip("."), name.split("."), n=1)]
    near = list(dict.fromkeys([*ends[:3], *near]))[:3]
    return GroupError(f"{here} matches no parameter of the model; it has {', '.join(near)} and so on", index)
