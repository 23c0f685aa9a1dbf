"""Steps of several replicas recorded once and played back: a CUDA graph, and on the CPU its twin."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from lrsearch.training.packs.nested import StackError
from lrsearch.training.packs.turns import Turn

Step = Callable[[], None]
STREAMS = 16
"""How many steps a GPU may run side by side; each stream keeps memory of its own."""
WARM_UP = 2
"""Runs before a capture, in which libraries choose and allocate; what they change the caller restores."""


class Recording(Protocol):
    """Steps that were recorded."""

    def play(self) -> None:
        """Make all steps again, on what now lies in the memory that they were recorded with."""
        ...


class Recorder(Protocol):
    """Records steps, one a replica, each with the random numbers of its replica."""

    def record(self, steps: Sequence[Step]) -> Recording:
        """Record steps, which read and write tensors that stay where they are.

        They are run for it. What they change is to be restored by the caller.

        Raises:
            StackError: a step reads numbers off the device, so that it may go another way the next time.
        """
        ...

    def begin(self) -> None:
        """Take over the replicas' random numbers, before the first of some plays."""
        ...

    def end(self) -> None:
        """Give them back, after the last."""
        ...


def recorder(turns: Sequence[Turn], device: torch.device) -> Recorder:
    """Give what records on a device, for replicas with these random numbers."""
    return Graphs(turns, device) if device.type == "cuda" else Tapes(turns)


class Graphs:
    """Records CUDA graphs in which the steps run side by side, over several streams: one launch for all.

    Random numbers come from the device's own generator, whose state each replica's part of the graph exchanges for one
    of its own (Philox: the same numbers as when it is called alone).
    """

    def __init__(self, turns: Sequence[Turn], device: torch.device) -> None:
        self._turns = turns
        self._device = device
        self._generator = torch.cuda.default_generators[device.index or 0]
        self._states = [self._generator.clone_state() for _ in turns]
        count = min(STREAMS, len(turns))
        self._streams = [torch.cuda.Stream(device) for _ in range(count)]  # type: ignore[no-untyped-call]

    def record(self, steps: Sequence[Step]) -> Recording:
        """Warm up, then capture."""
        warm = self._streams[0]
        warm.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(warm):
            for step in steps:
                for _ in range(WARM_UP):
                    step()
        torch.cuda.synchronize(self._device)
        graph = torch.cuda.CUDAGraph()
        own = self._generator.graphsafe_get_state()
        for state in self._states:
            graph.register_generator_state(state)
        try:
            with torch.cuda.graph(graph):
                self._fork(steps)
        finally:
            self._generator.graphsafe_set_state(own)
        return _Graph(graph)

    def _fork(self, steps: Sequence[Step]) -> None:
        first = torch.cuda.current_stream(self._device)
        for stream in self._streams:
            stream.wait_stream(first)
        for number, step in enumerate(steps):
            with torch.cuda.stream(self._streams[number % len(self._streams)]):
                self._generator.graphsafe_set_state(self._states[number])
                step()
        for stream in self._streams:
            first.wait_stream(stream)

    def begin(self) -> None:
        """Let the graphs' states go on from the replicas' random numbers."""
        for turn, state in zip(self._turns, self._states, strict=True):
            turn.lend(state)

    def end(self) -> None:
        """Let the replicas go on from where the graphs are."""
        for turn, state in zip(self._turns, self._states, strict=True):
            turn.take_back(state)


class _Graph:
    def __init__(self, graph: torch.cuda.CUDAGraph) -> None:
        self._graph = graph

    def play(self) -> None:
        self._graph.replay()


class Tapes:
    """The twin on a CPU, for tests: keeps the operations of each step, and makes them again one by one."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = turns

    def record(self, steps: Sequence[Step]) -> Recording:
        """Run each step once, and keep what it does."""
        tapes = []
        for step, turn in zip(steps, self._turns, strict=True):
            with turn(), _Tape() as tape:
                step()
            tapes.append(tape)
        return _Tapes(tapes, self._turns)

    def begin(self) -> None:
        """Each tape is played in its replica's turn."""

    def end(self) -> None:
        """Nothing was lent."""


class _Tapes:
    def __init__(self, tapes: Sequence["_Tape"], turns: Sequence[Turn]) -> None:
        self._tapes = tapes
        self._turns = turns

    def play(self) -> None:
        for tape, turn in zip(self._tapes, self._turns, strict=True):
            with turn(), torch.no_grad():
                tape.play()


class _Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps every operation with its arguments, and where its results lie."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._calls: list[tuple[Any, Any, Any, list[Any]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape} & set(func.tags):
            raise StackError("its Python reads numbers that are computed")
        result = func(*args, **(kwargs or {}))
        self._calls.append((func, args, kwargs or {}, _tensors(result)))
        return result

    def play(self) -> None:
        for func, args, kwargs, results in self._calls:
            for before, now in zip(results, _tensors(func(*args, **kwargs)), strict=True):
                if before.data_ptr() != now.data_ptr():
                    before.copy_(now)


def _tensors(result: Any) -> list[Tensor]:
    return [leaf for leaf in tree_flatten(result)[0] if isinstance(leaf, Tensor)]
