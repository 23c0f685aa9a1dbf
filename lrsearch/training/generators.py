"""Random generators of the user's own that live longer than a training: seeded for each, and kept with it.

A ``DataLoader`` made at import with a generator, or a ``default_rng()`` in a data set, goes on from where the training
before left it: the same rate and seed would end elsewhere, depending on what was trained before in the process.
"""

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from lrsearch.errors import WorkloadError
from lrsearch.training.checkpoint import random_state, restore_random_state

KINDS = (torch.Generator, np.random.Generator, np.random.RandomState, np.random.BitGenerator, random.Random)
"""What draws random numbers and can be seeded."""


class Generators:
    """Generators by the place where each was found (``train.py: loader.generator``).

    Args:
        found: them, by place.
    """

    def __init__(self, found: Mapping[str, Any]) -> None:
        self._found = dict(found)

    @property
    def places(self) -> tuple[str, ...]:
        """Where they are, in alphabetical order."""
        return tuple(sorted(self._found))

    def seed(self, seed: int) -> None:
        """Seed each as a script would that makes it with this seed: two of one kind then draw the same numbers.

        So the order in which they are found, and what else is found beside them, makes no difference.

        Raises:
            WorkloadError: one of them cannot be seeded.
        """
        for place, generator in self._found.items():
            try:
                _seed(generator, seed)
            except (TypeError, ValueError, AttributeError, NotImplementedError, RuntimeError) as error:
                raise WorkloadError(
                    f"{place} ({type(generator).__name__}) lives longer than a training and cannot be seeded for each "
                    f"({error}); make it where the training begins"
                ) from error

    def state(self) -> dict[str, Any]:
        """Return where each is, as plain data and tensors."""
        return {place: _state(generator) for place, generator in self._found.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put each back to where ``state`` found it; what is not there now is passed over."""
        for place, generator in self._found.items():
            if place in state:
                _restore(generator, state[place])

    def has_all_of(self, others: "Generators") -> bool:
        """Whether it holds each generator that others hold."""
        return {id(one) for one in others._found.values()} <= {id(one) for one in self._found.values()}


NONE = Generators({})
"""Where there are none."""


def whole_state(device: torch.device, generators: Generators) -> dict[str, Any]:
    """Return the state of every generator that a training may draw from: the global ones, and the user's own."""
    return {**random_state(device), "own": generators.state()}


def restore_whole_state(state: Mapping[str, Any], device: torch.device, generators: Generators) -> None:
    """Put every generator back to where ``whole_state`` found it."""
    restore_random_state(state, device)
    generators.restore(state.get("own", {}))  # a checkpoint of an earlier version has none


def _seed(generator: Any, seed: int) -> None:
    match generator:
        case torch.Generator():
            generator.manual_seed(seed)
        case random.Random():
            generator.seed(seed)
        case np.random.RandomState():
            kind = type(generator._bit_generator)
            fresh = np.random.RandomState(seed if kind is np.random.MT19937 else kind(seed))
            generator.set_state(fresh.get_state(legacy=False))
        case _:
            # With the seed sequence, from which others are spawned.
            bits = _bits_of(generator)
            bits.__setstate__(type(bits)(seed).__reduce__()[2])


def _state(generator: Any) -> Any:
    match generator:
        case torch.Generator():
            return generator.get_state()
        case random.Random():
            version, words, gauss = generator.getstate()
            return [version, list(words), gauss]
        case np.random.RandomState():
            return _lists(generator.get_state(legacy=False))
        case _:
            bits = _bits_of(generator)
            sequence = getattr(bits, "seed_seq", None)
            spawning = sequence.state if isinstance(sequence, np.random.SeedSequence) else None
            return {"bits": _lists(bits.state), "spawning": _lists(spawning)}


def _restore(generator: Any, state: Any) -> None:
    match generator:
        case torch.Generator():
            generator.set_state(state)
        case random.Random():
            version, words, gauss = state
            generator.setstate((version, tuple(words), gauss))
        case np.random.RandomState():
            generator.set_state(_arrays(state))
        case _:
            bits = _bits_of(generator)
            if state["spawning"] is not None:
                bits.__setstate__((bits.state, np.random.SeedSequence(**state["spawning"])))
            bits.state = _arrays(state["bits"])


def _bits_of(generator: Any) -> Any:
    return generator if isinstance(generator, np.random.BitGenerator) else generator.bit_generator


def _lists(state: Any) -> Any:
    """A state of NumPy's with lists in place of arrays, which a checkpoint may hold."""
    if isinstance(state, dict):
        return {name: _lists(value) for name, value in state.items()}
    if isinstance(state, np.ndarray):
        return {"array": state.tolist(), "of": str(state.dtype)}
    return (
        state.item() if isinstance(state, np.generic) else list(state) if isinstance(state, tuple) else state
    )


def _arrays(state: Any) -> Any:
    if isinstance(state, dict) and state.keys() == {"array", "of"}:
        return np.array(state["array"], dtype=state["of"])
    return {name: _arrays(value) for name, value in state.items()} if isinstance(state, dict) else state
