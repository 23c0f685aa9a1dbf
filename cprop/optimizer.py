"""The wrapper: any torch optimizer, its update scaled element by element by past gradient conformity."""

import copy
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.optim import Optimizer

from cprop.checks import check_beta, check_c, check_choice, check_eps, check_gradient, check_state_dict
from cprop.compiled import CompiledUpdate, has_triton
from cprop.measures import MEASURES, EpsPlacement, error_ratio
from cprop.packing import Columns
from cprop.sgd import PlainSGD, is_plain_sgd
from cprop.state import COUNT, MEAN, cohorts, load_moments, second_name
from cprop.swaps import SWAP_NAMES
from cprop.update import BlockUpdate, Settings

Implementation = Literal["auto", "blocks", "compile"]
Closure = Callable[[], float]

_SCALES_AT_ONCE = 1_048_576  # elements
_ONE = torch.ones((), dtype=torch.float64)


class CProp(Optimizer):
    """Scales the update of any optimizer by past gradient conformity (arXiv:1912.11493, Algorithm 1).

    In each step, element by element, with ``g`` the gradient and ``d`` the wrapped optimizer's update:

        n      = 1 + beta n = (1 - beta^t) / (1 - beta)
        m      = m + (g - old m) / n
        S      = (1 - 1/n) (S + (g - old m)^2 / n)
        sigma  = sqrt(S / (n - 1 + eps)) + eps
        s      = min(c erf(|m| / (sigma sqrt 2)), 1)
        theta  = theta + s d

    ``m`` and ``S`` are the paper's ``m_hat`` and ``v_hat - m_hat^2`` in another, more
    accurate order of arithmetic. The whole update is scaled, decoupled weight decay included, as the authors' own
    wrapper does. Conformity sees the gradient as the wrapped optimizer finds it: after clipping and unscaling, before
    weight decay; of several evaluations of a closure, the last.

    The wrapper is a real ``torch.optim.Optimizer`` that shares ``param_groups`` and ``state`` with the one that it
    wraps: use it in place of that one, also for schedulers and checkpoints. Each group may have its own ``beta`` and
    ``c``. Moments are kept in float32, or float64 for float64 parameters.

    Args:
        optimizer: Any torch optimizer that leaves gradients as they are and steps at once, as all of ``torch.optim``
            do. Gradients must be dense and real.
        beta: In [0, 1). How far back gradients are looked at: about ``1 / (1 - beta)`` steps.
        c: In [0, inf]. Overconfidence (section 2.3): above 1 it scales less down; where infinite the scale is 1 by
            definition and the parameters are the bare optimizer's, bit for bit.
        eps: In [0, inf). Where 0, a quotient 0 / 0 is 0 for a mean of 0 and 1 for a mean without deviation.
        eps_placement: ``"outside"`` the square root, as above and in the authors' code, or ``"inside"`` it, as
            Algorithm 1 is printed, which floors the standard error at ``sqrt(eps)``.
        measure: A name in `cprop.MEASURES`: ``"normal"``, ``"logistic"``, ``"relative_rate"``, ``"moment_rate"``.
        implementation: ``"blocks"`` needs no compiler and costs nothing at the first step. ``"compile"`` is faster;
            its first step takes some seconds and needs a C++ compiler on CPU, Triton on CUDA. ``"auto"`` is
            ``"compile"`` on CUDA with Triton, else ``"blocks"``. With either, SGD without momentum is not called but
            taken into the same pass (unless hooks are registered on it, a closure is given or ``c`` is infinite).

    Raises:
        TypeError: ``optimizer`` is none or is a CProp, or a number is none.
        ValueError: An argument, or ``beta`` or ``c`` of a group, is out of range.

    Examples:
        Gradients that agree keep the learning rate; gradients that disagree lose it:

        >>> parameter = torch.nn.Parameter(torch.zeros(2))
        >>> optimizer = CProp(torch.optim.SGD([parameter], lr=1.0), beta=0.9)
        >>> for sign in (1.0, -1.0, 1.0, -1.0):
        ...     parameter.grad = torch.tensor([1.0, sign])
        ...     optimizer.step()
        >>> [round(x, 2) for x in parameter.tolist()]
        [-4.0, -1.25]
    """

    optimizer: Optimizer
    settings: Settings
    implementation: Implementation
    option_names: dict[str, str]

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
            raise TypeError("optimizer is a CProp, so it is wrapped already; give the bare torch.optim.Optimizer")
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer is {optimizer!r}; give an instance of torch.optim.Optimizer")
        check_eps(eps)
        check_choice("eps_placement", eps_placement, get_args(EpsPlacement))
        check_choice("measure", measure, tuple(MEASURES))
        check_choice("implementation", implementation, get_args(Implementation))
        # Where the wrapped optimizer has an option of that name, the name stays its own.
        names = {name: f"cprop_{name}" if name in optimizer.defaults else name for name in ("beta", "c")}
        options = {names["beta"]: beta, names["c"]: c}
        # Not Optimizer.__init__, which would make groups and a state of its own; this adds what else an optimizer has.
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

    def __getattr__(self, name: str) -> Any:
        """Return ``eval``, ``train`` and the like of the wrapped optimizer; where it has none, this has none."""
        if name in SWAP_NAMES:
            return getattr(self.optimizer, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

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
            TypeError: A gradient is sparse or complex; without a closure nothing was changed.
        """
        if closure is None:
            self._check_gradients()
            if self._takes_in_sgd():
                self._update({}, takes_in_sgd=True)
                return None
        before = self._copies(every_parameter=closure is not None)
        loss: float | None
        loss = self.optimizer.step() if closure is None else self.optimizer.step(self._checked(closure))
        self._update(before, takes_in_sgd=False)
        return loss

    def state_dict(self) -> dict[str, Any]:
        """As of any optimizer: ``state`` (CProp's moments beside the wrapped optimizer's), ``param_groups``.

        A third entry, ``cprop``, names the wrapped optimizer's class.
        """
        state_dict = super().state_dict()
        state_dict["cprop"] = {"optimizer": type(self.optimizer).__name__}
        return state_dict

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what ``state_dict`` of a CProp around the same class of optimizer returned.

        Raises:
            ValueError: It is not that, was saved with a measure that keeps other moments, or has other groups.
        """
        second = self.settings.second
        names = {COUNT, MEAN, second_name(second)}
        state_dict = copy.copy(state_dict)  # for hooks to change, as every optimizer gives them
        for pre_hook in self._optimizer_load_state_dict_pre_hooks.values():
            replaced = pre_hook(self, state_dict)
            state_dict = state_dict if replaced is None else replaced
        check_state_dict(state_dict, type(self.optimizer).__name__, self.option_names.values(), names)
        saved = state_dict["state"]
        # The wrapped optimizer would cast the moments to the parameter's dtype.
        own = {key: {k: v for k, v in state.items() if k not in names} for key, state in saved.items()}
        self.optimizer.load_state_dict({"state": own, "param_groups": state_dict["param_groups"]})
        with torch.no_grad():
            for group, saved_group in zip(self.param_groups, state_dict["param_groups"], strict=True):
                moments = [saved.get(key, {}) for key in saved_group["params"]]
                load_moments(self.state, group["params"], moments, second, self._count_device)
        for post_hook in self._optimizer_load_state_dict_post_hooks.values():
            post_hook(self)

    @torch.no_grad()
    def mean_scale(self) -> float:
        """The mean, over all elements of all parameters, of the scale in the latest step (figure 2 of the paper).

        Computed from the moments when asked for: it costs about as much as a step, and no memory between steps.

        Returns:
            A number in [0, 1].

        Raises:
            RuntimeError: No parameter has had a gradient yet.
        """
        total, elements = 0.0, 0
        for scale in self._scales():
            total += scale.sum(dtype=torch.float64).item()
            elements += scale.numel()
        return total / elements

    @torch.no_grad()
    def scale_histogram(self, bins: int) -> Tensor:
        """How many elements had which scale in the latest step (figure 8 of the paper), computed when asked for.

        Args:
            bins: At least 1; bin ``i`` counts the scales from ``i / bins`` to ``(i + 1) / bins``.

        Returns:
            Counts, int64 on the CPU, shape ``(bins,)``.

        Raises:
            RuntimeError: No parameter has had a gradient yet.
            ValueError: ``bins`` is below 1.
        """
        if bins < 1:
            raise ValueError(f"bins is {bins!r}; give a whole number of at least 1")
        counts = torch.zeros(bins, dtype=torch.int64)
        for scale in self._scales():
            counts += scale.histc(bins, min=0, max=1).to(counts)
        return counts

    def _scales(self) -> Iterator[Tensor]:
        second = second_name(self.settings.second)
        started = [(p, self._options(group)[1]) for group in self.param_groups for p in group["params"]]
        started = [(p, c) for p, c in started if p in self.state and COUNT in self.state[p]]
        if not started:
            raise RuntimeError("no parameter has had a gradient yet, so there is no scale; call step() first")
        for p, c in started:
            state = self.state[p]
            ratio = error_ratio(state[COUNT].item(), self.settings.eps)
            moments = (state[name].as_strided((p.numel(),), (1,)) for name in (MEAN, second))
            for mean, moment in zip(*(m.split(_SCALES_AT_ONCE) for m in moments), strict=True):
                yield torch.ones_like(mean) if math.isinf(c) else self.settings.scale(mean, moment, ratio, c)

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

    def _takes_in_sgd(self) -> bool:
        """Whether one pass can replace the copy, the wrapped optimizer's step and the scaling."""
        finite = all(math.isfinite(self._options(group)[1]) for group in self.param_groups)
        return finite and is_plain_sgd(self.optimizer)

    @torch.no_grad()
    def _update(self, before: dict[Tensor, Tensor], takes_in_sgd: bool) -> None:
        for group in self.param_groups:
            beta, c = self._options(group)
            sgd = PlainSGD.of(group) if takes_in_sgd else None
            for parameters in cohorts(self.state, group["params"], self.settings.second, self._count_device):
                n = self.state[parameters[0]][COUNT]
                torch.add(_ONE, n, alpha=beta, out=n)
                self._updater(parameters[0])([self._columns(p, before) for p in parameters], n, c, sgd)

    @torch.no_grad()
    def _copies(self, every_parameter: bool) -> dict[Tensor, Tensor]:
        # A closure may give any parameter its first gradient. Where c is infinite nothing is scaled.
        copies: dict[Tensor, Tensor] = {}
        for group in self.param_groups:
            moving = [p for p in group["params"] if p.grad is not None or (every_parameter and p.requires_grad)]
            if moving and not math.isinf(self._options(group)[1]):
                new = [torch.empty_like(p) for p in moving]
                torch._foreach_copy_(new, moving)
                copies.update(zip(moving, new, strict=True))
        return copies

    def _columns(self, parameter: Tensor, before: dict[Tensor, Tensor]) -> Columns:
        state = self.state[parameter]
        assert parameter.grad is not None
        columns = (parameter.grad, state[MEAN], state[second_name(self.settings.second)], parameter)
        return (*columns, before[parameter]) if parameter in before else columns

    def _compiles(self, parameter: Tensor) -> bool:
        if self.implementation == "auto":
            return parameter.is_cuda and has_triton()
        return self.implementation == "compile"

    def _updater(self, parameter: Tensor) -> BlockUpdate | CompiledUpdate:
        return (CompiledUpdate if self._compiles(parameter) else BlockUpdate)(self.settings)

    def _count_device(self, parameter: Tensor) -> torch.device:
        # A captured CUDA graph needs the count where its kernels can read it.
        on_device = parameter.is_cuda and self._compiles(parameter)
        return parameter.device if on_device else torch.device("cpu")

    def _options(self, group: dict[str, Any]) -> tuple[float, float]:
        return group[self.option_names["beta"]], group[self.option_names["c"]]

    def _check_options(self, group: dict[str, Any]) -> None:
        beta, c = self._options(group)
        check_beta(beta)
        check_c(c)

    def _set_options(self, group: dict[str, Any]) -> None:
        for name in self.option_names.values():
            group.setdefault(name, self.defaults[name])
