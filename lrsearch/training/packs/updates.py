"""How the rows of a pack are updated: all at once for the optimizers whose arithmetic is here, else one by one.

An elementwise optimizer does the same to every element, so K replicas are K rows that differ in a few numbers: learning
rate, step count, CProp's ``c``, ``beta`` and count. These are columns ``[rows, 1]`` in double precision and are brought
to the parameters' own precision where torch's optimizers do so.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from cprop import CProp
from cprop.measures import error_ratio
from cprop.state import COUNT, MEAN, second_name
from cprop.update import update_with
from lrsearch.training.packs.rows import Rows
from lrsearch.training.replica import Replica
from lrsearch.training.update import clip_gradient

State = dict[str, Tensor]
"""What an optimizer keeps, by torch's names, each ``[rows, columns]``."""
Options = Mapping[str, Any]


class Update(Protocol):
    """Updates some rows of a pack."""

    def __call__(self, gradient: Tensor) -> None:
        """Update the parameters by their gradient ``[rows, columns]``, which may be changed."""
        ...

    def hand_back(self) -> None:
        """Let the replicas' optimizers stand as if each had made its own steps."""
        ...


class OneByOne:
    """Each replica's own clipping, optimizer and schedule: for any optimizer.

    Args:
        replicas: whose parameters are views of the pack's rows.
        rows: where they lie.
        clip: the 2-norm that gradients are scaled down to; None for none.
    """

    def __init__(self, replicas: Sequence[Replica], rows: Rows, clip: float | None) -> None:
        self._replicas = replicas
        self._parameters = [list(replica.workload.model.parameters()) for replica in replicas]
        self._rows = rows
        self._clip = clip
        self._gradient_at = 0

    def __call__(self, gradient: Tensor) -> None:
        """Let each replica make its step."""
        if gradient.data_ptr() != self._gradient_at:
            self._gradient_at = gradient.data_ptr()
            for parameters, row in zip(self._parameters, gradient, strict=True):
                for parameter, grad in zip(parameters, self._rows.views(row), strict=True):
                    parameter.grad = grad
        for replica, parameters in zip(self._replicas, self._parameters, strict=True):
            clip_gradient(self._clip, parameters)
            replica.optimizer.step()
            if replica.schedule is not None:
                replica.schedule.step()

    def hand_back(self) -> None:
        """Nothing is kept here."""


class AllRows:
    """One pass over all rows, for the optimizers in ``STEPS``, alone or in CProp.

    Args:
        replicas: of one kind: the same class, CProp or none, the same options but for numbers that may differ.
        rows: where the parameters lie.
        parameters: ``[rows, columns]``, whose views are the replicas' parameters.
        clip: the 2-norm that each row's gradient is scaled down to; None for none.
    """

    def __init__(
        self, replicas: Sequence[Replica], rows: Rows, parameters: Tensor, clip: float | None
    ) -> None:
        self._replicas = replicas
        self._rows = rows
        self._parameters = parameters
        self._clip = clip
        bare = [bare_optimizer(replica.optimizer) for replica in replicas]
        self._options = bare[0].param_groups[0]
        self._step = STEPS[type(bare[0])]
        self._follows = any(replica.schedule is not None for replica in replicas)
        if self._follows:
            for replica in replicas:
                replica.optimizer._opt_called = True  # type: ignore[attr-defined]  # torch's schedules ask for it
        counts = [float(replica.iteration) for replica in replicas]
        self._count = self._column(counts)
        self._rate = self._column(self._numbers("lr"))
        self._decay = self._column(self._numbers("weight_decay"))
        self._state = self._taken(KEPT[type(bare[0])](self._options))
        wrapper = replicas[0].optimizer
        self._cprop = wrapper if isinstance(wrapper, CProp) else None
        if self._cprop is not None:
            settings = self._cprop.settings
            self._moments = self._taken((MEAN, second_name(settings.second)))
            self._worth = self._column([_worth(replica) for replica in replicas])
            names = self._cprop.option_names
            self._beta, c = (self._column(self._numbers(names[name])) for name in ("beta", "c"))
            self._c = c.to(self._moments[MEAN].dtype)

    def __call__(self, gradient: Tensor) -> None:
        """Clip, step, scale."""
        theta = self._parameters
        if self._clip is not None:
            norm = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
            gradient = gradient.mul_((self._clip / (norm + 1e-6)).clamp_(max=1))
        if self._follows:
            self._rate.copy_(self._column(self._numbers("lr")))
        self._count += 1
        before = theta.clone() if self._cprop is not None else None
        self._step(theta, gradient, self._state, self._count, self._rate, self._decay, self._options)
        if self._cprop is not None and before is not None:
            self._scale(gradient, before)
        for replica in self._replicas:
            if replica.schedule is not None:
                replica.schedule.step()

    def hand_back(self) -> None:
        """Give the optimizers their state as views, and the counts."""
        for row, replica in enumerate(self._replicas):
            count = int(self._count[row])
            if not count:
                continue
            bare = bare_optimizer(replica.optimizer)
            parameters = list(replica.workload.model.parameters())
            own: list[dict[str, Tensor]] = [
                {} if isinstance(bare, SGD) else {"step": torch.tensor(float(count))} for _ in parameters
            ]
            kept = {**self._state, **(self._moments if self._cprop is not None else {})}
            for name, matrix in kept.items():
                for state, view in zip(own, self._rows.views(matrix[row]), strict=True):
                    state[name] = view
            if self._cprop is not None:
                worth = self._worth[row].reshape(()).clone().to(self._cprop._count_device(parameters[0]))
                for state in own:
                    state[COUNT] = worth
            for parameter, state in zip(parameters, own, strict=True):
                bare.state[parameter] = state

    def _scale(self, gradient: Tensor, before: Tensor) -> None:
        assert self._cprop is not None
        settings, (mean, second) = self._cprop.settings, self._moments.values()
        self._worth.mul_(self._beta).add_(1)
        a, ratio = ((1 / self._worth).to(mean.dtype), error_ratio(self._worth, settings.eps).to(mean.dtype))
        update_with(settings, (gradient, mean, second, self._parameters, before), a, ratio, self._c)

    def _numbers(self, name: str) -> list[float]:
        return [float(replica.optimizer.param_groups[0][name]) for replica in self._replicas]

    def _column(self, numbers: Sequence[float]) -> Tensor:
        return torch.tensor(numbers, dtype=torch.float64, device=self._parameters.device).unsqueeze(1)

    def _taken(self, names: Sequence[str]) -> State:
        """What the optimizers keep so far, as matrices; zeros where one has not begun."""
        taken = {}
        for name in names:
            matrix = torch.zeros_like(self._parameters)
            for row, replica in zip(matrix, self._replicas, strict=True):
                state = replica.optimizer.state
                for parameter, view in zip(
                    replica.workload.model.parameters(), self._rows.views(row), strict=True
                ):
                    if name in state.get(parameter, {}):
                        view.copy_(state[parameter][name])
            taken[name] = matrix
        return taken


def _worth(replica: Replica) -> float:
    """How many gradients CProp's moments are worth so far."""
    state = replica.optimizer.state.get(next(replica.workload.model.parameters()), {})
    return float(state[COUNT]) if COUNT in state else 0.0


def _sgd(
    theta: Tensor,
    gradient: Tensor,
    state: State,
    count: Tensor,
    rate: Tensor,
    decay: Tensor,
    options: Options,
) -> None:
    if bool(options["weight_decay"]):
        gradient = gradient + theta * decay.to(theta.dtype)
    if options["momentum"]:
        buffer = state["momentum_buffer"]
        # The first gradient is not damped.
        damped = torch.where(count == 1, 1.0, 1 - options["dampening"]).to(theta.dtype)
        buffer.mul_(options["momentum"]).addcmul_(gradient, damped)
        gradient = gradient.add(buffer, alpha=options["momentum"]) if options["nesterov"] else buffer
    theta.addcmul_(gradient, -rate.to(theta.dtype))


def _adam(
    theta: Tensor,
    gradient: Tensor,
    state: State,
    count: Tensor,
    rate: Tensor,
    decay: Tensor,
    options: Options,
) -> None:
    if bool(options["weight_decay"]):
        if options.get("decoupled_weight_decay"):
            theta.mul_((1 - rate * decay).to(theta.dtype))
        else:
            gradient = gradient + theta * decay.to(theta.dtype)
    first, second = options["betas"]
    mean, square = state["exp_avg"], state["exp_avg_sq"]
    mean.lerp_(gradient, 1 - first)
    square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
    if options["amsgrad"]:
        square = torch.maximum(state["max_exp_avg_sq"], square, out=state["max_exp_avg_sq"])
    step = (rate / (1 - first**count)).to(theta.dtype)
    root = (1 - second**count).sqrt().to(theta.dtype)
    theta.addcdiv_(mean * -step, square.sqrt().div_(root).add_(options["eps"]))


def _rmsprop(
    theta: Tensor,
    gradient: Tensor,
    state: State,
    count: Tensor,
    rate: Tensor,
    decay: Tensor,
    options: Options,
) -> None:
    if bool(options["weight_decay"]):
        gradient = gradient + theta * decay.to(theta.dtype)
    alpha = options["alpha"]
    square = state["square_avg"]
    square.mul_(alpha).addcmul_(gradient, gradient, value=1 - alpha)
    average = square
    if options["centered"]:
        mean = state["grad_avg"].lerp_(gradient, 1 - alpha)
        average = square.addcmul(mean, mean, value=-1)
    root = average.sqrt().add_(options["eps"])
    if options["momentum"]:
        gradient = state["momentum_buffer"].mul_(options["momentum"]).addcdiv_(gradient, root)
        theta.addcmul_(gradient, -rate.to(theta.dtype))
    else:
        theta.addcdiv_(gradient * -rate.to(theta.dtype), root)


Step = Callable[[Tensor, Tensor, State, Tensor, Tensor, Tensor, Options], None]
STEPS: Mapping[type[Optimizer], Step] = {SGD: _sgd, Adam: _adam, AdamW: _adam, RMSprop: _rmsprop}
"""The optimizers of torch whose update is made for all rows at once."""


def _of_adam(options: Options) -> tuple[str, ...]:
    return ("exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if options["amsgrad"] else []))


def _of_rmsprop(options: Options) -> tuple[str, ...]:
    momentum = ["momentum_buffer"] if options["momentum"] else []
    return ("square_avg", *momentum, *(["grad_avg"] if options["centered"] else []))


KEPT: Mapping[type[Optimizer], Callable[[Options], tuple[str, ...]]] = {
    SGD: lambda options: ("momentum_buffer",) if options["momentum"] else (),
    Adam: _of_adam,
    AdamW: _of_adam,
    RMSprop: _of_rmsprop,
}
ONE_BY_ONE = ("one by one",)
"""The kind of those that make their steps themselves."""
_MAY_DIFFER = {"params", "lr", "initial_lr", "max_lr"}


def bare_optimizer(optimizer: Optimizer) -> Optimizer:
    """Give the optimizer that CProp wraps, or the one itself."""
    return optimizer.optimizer if isinstance(optimizer, CProp) else optimizer


def kind_of(replica: Replica) -> tuple[Any, ...]:
    """What replicas have to have in common to be updated in one pass; those of no such kind have one of their own."""
    optimizer, bare = replica.optimizer, bare_optimizer(replica.optimizer)
    if not _in_one_pass(replica):
        return ONE_BY_ONE
    may_differ = set(_MAY_DIFFER)
    wrapper: tuple[Any, ...] = ()
    if isinstance(optimizer, CProp):
        may_differ |= set(optimizer.option_names.values())
        wrapper = (optimizer.settings, tuple(optimizer.option_names.values()))
    options = {name: value for name, value in bare.param_groups[0].items() if name not in may_differ}
    return (type(bare), repr(sorted(options.items())), wrapper)


def _in_one_pass(replica: Replica) -> bool:
    bare = bare_optimizer(replica.optimizer)
    if type(bare) not in STEPS or len(bare.param_groups) != 1:
        return False
    group = bare.param_groups[0]
    moves_momentum = replica.schedule is not None and replica.schedule.changes_momentum
    if group.get("maximize") or group.get("differentiable") or moves_momentum:
        return False
    wrapper = replica.optimizer
    if isinstance(wrapper, CProp) and math.isinf(wrapper.param_groups[0][wrapper.option_names["c"]]):
        return False  # it then leaves every step as it is, and computes no scale
    return isinstance(group["lr"], float | int)
