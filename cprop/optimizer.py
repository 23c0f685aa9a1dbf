"""The wrapper: any torch optimizer, its update scaled element by element by past gradient conformity."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.optim import Optimizer

from cprop.checks import check_beta, check_c, check_choice, check_eps, check_gradient, check_state_dict
from cprop.measures import MEASURES, EpsPlacement
from cprop.update import BlockUpdate, Element, Settings

Implementation = Literal["auto", "blocks", "compile"]
Closure = Callable[[], float]

# What CProp keeps for a parameter, in the state dictionary of the optimizer that it wraps.
_COUNT, _MEAN = "cprop_n", "cprop_mean"


class CProp(Optimizer):
    """Scales the update of any optimizer by past gradient conformity (arXiv:1912.11493, Algorithm 1)."""

    optimizer: Optimizer

    def __init__(
        self,
        optimizer: Optimizer,
        beta: float = 0.999,
        c: float = 1.0,
        eps: float = 1e-8,
        eps_placement: EpsPlacement = "outside",
        measure: str = "normal",
        implementation: Implementation = "auto",
    ) -> None:
        if isinstance(optimizer, CProp):
            raise TypeError(f"optimizer is {type(optimizer).__name__}, wrapped already; give the bare optimizer")
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer is {optimizer!r}; give an instance of torch.optim.Optimizer")
        check_eps(eps)
        check_choice("eps_placement", eps_placement, get_args(EpsPlacement))
        check_choice("measure", measure, MEASURES)
        check_choice("implementation", implementation, get_args(Implementation))
        # An option of the wrapped optimizer with the same name keeps the plain name.
        names = {name: f"cprop_{name}" if name in optimizer.defaults else name for name in ("beta", "c")}
        options = {names["beta"]: beta, names["c"]: c}
        # Optimizer.__init__ would make groups and state of its own; __setstate__ adds only what every optimizer has.
        self.__setstate__(
            {
                "optimizer": optimizer,
                "defaults": {**optimizer.defaults, **options},
                "settings": Settings(measure, eps, eps_placement),
                "implementation": implementation,
                "option_names": names,
            }
        )
        for group in optimizer.param_groups:
            self._check_options({**options, **group})
        for group in optimizer.param_groups:
            self._set_options(group)

    def __getstate__(self) -> dict[str, Any]:
        kept = ("optimizer", "defaults", "settings", "implementation", "option_names")
        return {name: self.__dict__[name] for name in kept}

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The wrapped optimizer's groups, each with CProp's ``beta`` and ``c`` beside its own options."""
        return self.optimizer.param_groups

    @param_groups.setter
    def param_groups(self, value: list[dict[str, Any]]) -> None:
        self.optimizer.param_groups = value

    @property
    def state(self) -> defaultdict[Tensor, Any]:
        """The wrapped optimizer's state, with CProp's moments beside its own for each parameter."""
        return self.optimizer.state

    @state.setter
    def state(self, value: defaultdict[Tensor, Any]) -> None:
        self.optimizer.state = value

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group to the wrapped optimizer; it may have its own ``beta`` and ``c``."""
        self._check_options({**self.defaults, **param_group})
        self.optimizer.add_param_group(param_group)
        self._set_options(self.param_groups[-1])

    def step(self, closure: Closure | None = None) -> float | None:  # type: ignore[override]
        """Let the wrapped optimizer step, then scale what it changed.

        Args:
            closure: Passed on to the wrapped optimizer, which calls it as it would alone.

        Returns:
            What the wrapped optimizer returns.

        Raises:
            TypeError: A gradient is sparse or complex; nothing was changed.
        """
        before = self._copies(every_parameter=closure is not None)
        if closure is None:
            self._check_gradients()
            loss = self.optimizer.step()
        else:
            loss = self.optimizer.step(self._checked(closure))
        self._scale_update(before)
        return loss

    def _checked(self, closure: Closure) -> Closure:
        def evaluate() -> float:
            loss = closure()
            self._check_gradients()
            return loss

        return evaluate

    def _check_gradients(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    check_gradient(p.grad)

    def state_dict(self) -> dict[str, Any]:
        state_dict = super().state_dict()
        state_dict["cprop"] = {"optimizer": type(self.optimizer).__name__}
        return state_dict

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for pre_hook in self._optimizer_load_state_dict_pre_hooks.values():
            state_dict = pre_hook(self, dict(state_dict)) or state_dict
        check_state_dict(state_dict, type(self.optimizer).__name__, self.option_names.values(), self._moments)
        # The wrapped optimizer loads its own part; it would cast the moments to the parameter's dtype.
        own = {key: {k: v for k, v in s.items() if k not in self._moments} for key, s in state_dict["state"].items()}
        self.optimizer.load_state_dict({"state": own, "param_groups": state_dict["param_groups"]})
        self._load_moments(state_dict)
        for post_hook in self._optimizer_load_state_dict_post_hooks.values():
            post_hook(self)

    @torch.no_grad()
    def _load_moments(self, state_dict: dict[str, Any]) -> None:
        for group, saved_group in zip(self.param_groups, state_dict["param_groups"], strict=True):
            counts: dict[Any, Tensor] = {}
            for p, key in zip(group["params"], saved_group["params"], strict=True):
                saved = state_dict["state"].get(key, {})
                if _COUNT not in saved:
                    continue
                count = saved[_COUNT].to(device="cpu", dtype=torch.float64, copy=True)
                state = self._new_moments(p, counts.setdefault((count.item(), p.device, p.dtype), count))
                for name in (_MEAN, self._second):
                    state[name].copy_(saved[name])
                self.state[p].update(state)

    @torch.no_grad()
    def _scale_update(self, before: dict[Tensor, Tensor]) -> None:
        for group in self.param_groups:
            beta, c = self._options(group)
            for parameters in self._cohorts(group["params"]):
                n = self.state[parameters[0]][_COUNT]
                n.mul_(beta).add_(1)
                self._update(n, [self._element(p, before.get(p, p)) for p in parameters], c)

    def _update(self, n: Tensor, elements: list[Element], c: float) -> None:
        BlockUpdate(self.settings)(elements, n, c)

    def _element(self, parameter: Tensor, before: Tensor) -> Element:
        state = self.state[parameter]
        assert parameter.grad is not None
        return Element(parameter.grad, state[_MEAN], state[self._second], before, parameter)

    @property
    def _second(self) -> str:
        return f"cprop_{self.settings.definition.second}"

    @torch.no_grad()
    def _copies(self, every_parameter: bool) -> dict[Tensor, Tensor]:
        # A closure may give any parameter its first gradient.
        copies: dict[Tensor, Tensor] = {}
        for group in self.param_groups:
            if math.isinf(self._options(group)[1]):
                continue
            moving = [
                p
                for p in group["params"]
                if p.grad is not None or (every_parameter and p.requires_grad)
            ]
            if moving:
                new = [torch.empty_like(p) for p in moving]
                torch._foreach_copy_(new, moving)
                copies.update(zip(moving, new, strict=True))
        return copies

    def _cohorts(self, parameters: Iterable[Tensor]) -> list[list[Tensor]]:
        """Parameters with a gradient, by count.

        Parameters that have had their gradients together share one count, a tensor; those without one this time stay
        behind, so the others go on with a copy.
        """
        cohorts: dict[Any, list[Tensor]] = {}
        behind = set()
        for p in parameters:
            count = self.state[p].get(_COUNT) if p in self.state else None
            if p.grad is None:
                behind.add(id(count))
                continue
            key = (p.device, p.dtype) if count is None else id(count)
            cohorts.setdefault(key, []).append(p)
        for key, members in cohorts.items():
            if key in behind:
                shared = self.state[members[0]][_COUNT].clone()
                for p in members:
                    self.state[p][_COUNT] = shared
            elif isinstance(key, tuple):
                self._start(members)
        return list(cohorts.values())

    def _start(self, parameters: list[Tensor]) -> None:
        count = torch.zeros((), dtype=torch.float64)
        for p in parameters:
            self.state[p].update(self._new_moments(p, count))

    def _new_moments(self, parameter: Tensor, count: Tensor) -> dict[str, Tensor]:
        dtype = torch.promote_types(parameter.dtype, torch.float32)
        mean, second = (torch.zeros_like(parameter, dtype=dtype) for _ in range(2))
        return {_COUNT: count, _MEAN: mean, self._second: second}

    @property
    def _moments(self) -> tuple[str, str, str]:
        return _COUNT, _MEAN, self._second

    def _options(self, group: dict[str, Any]) -> tuple[float, float]:
        return group[self.option_names["beta"]], group[self.option_names["c"]]

    def _check_options(self, group: dict[str, Any]) -> None:
        beta, c = self._options(group)
        check_beta(beta)
        check_c(c)

    def _set_options(self, group: dict[str, Any]) -> None:
        for name in self.option_names.values():
            group.setdefault(name, self.defaults[name])
