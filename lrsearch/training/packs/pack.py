"""Several replicas in one process: stacked where they can be, one after the other where not."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from lrsearch.task.model import Task
from lrsearch.training.checkpoint import random_state, restore_random_state
from lrsearch.training.device import training_device
from lrsearch.training.packs.check import why_not_stacked
from lrsearch.training.packs.stack import Stack
from lrsearch.training.packs.updates import kind_of
from lrsearch.training.progress import Progress
from lrsearch.training.replica import Replica
from lrsearch.training.train import failure
from lrsearch.training.workloads import described
from lrsearch.trial import TrialSpec


@dataclass
class _Member:
    """A replica in a pack; its training's own random numbers wait while another's turn it is."""

    name: str
    replica: Replica
    checkpoint: Path
    random: dict[str, Any]

    @contextmanager
    def turn(self, device: torch.device) -> Iterator[Replica]:
        restore_random_state(self.random, device)
        try:
            yield self.replica
        finally:
            self.random = random_state(device)


class Pack:
    """Trains replicas of one task in lock-step: all make as many updates, then those are evaluated that are due.

    Those of one workload are stacked once a check has shown that this changes nothing (``check``). The others train one
    after the other, to the bit as each alone. One that diverges, fails or leaves does not touch the others.

    Args:
        task: that they are of.
        clock: gives seconds.
    """

    def __init__(self, task: Task, clock: Callable[[], float] = time.perf_counter) -> None:
        self._task = task
        self._clock = clock
        self._device = training_device(task)
        self._new: dict[str, tuple[TrialSpec, Path]] = {}
        self._members: dict[str, _Member] = {}
        self._stacks: dict[str, tuple[tuple[str, ...], Stack]] = {}
        self._checked: set[tuple[str, ...]] = set()
        self._apart: set[str] = set()
        """Workloads that are not to be stacked."""
        self._notes: list[str] = []

    def __len__(self) -> int:
        return len(self._members) + len(self._new)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the replicas in it."""
        return (*self._members, *self._new)

    def add(self, name: str, spec: TrialSpec, checkpoint: Path) -> None:
        """Take in a replica; it is made, and goes on from its checkpoint, in the next ``advance``."""
        self._new[name] = (spec, checkpoint)

    def drop(self, name: str) -> None:
        """Let go of a replica that has ended, or is not wanted any more."""
        self._members.pop(name, None)
        self._new.pop(name, None)

    def advance(self) -> list[tuple[str, Progress]]:
        """Train to the next evaluation that is due; give what each that has one, or ended, has come to.

        One that has ended is not in the pack any more.
        """
        progress = self._take_in()
        if not any(member.replica.iteration == member.replica.target for member in self._members.values()):
            progress += self._train()
        due = [m for m in self._members.values() if m.replica.iteration == m.replica.target]
        progress += [(m.name, self._reached(m)) for m in due]
        for name, one in progress:
            if one.outcome is not None:
                self.drop(name)
        if progress and self._notes:
            name, first = progress[0]
            progress[0] = name, replace(first, notes=(*first.notes, *self._notes))
            self._notes = []
        return progress

    def _take_in(self) -> list[tuple[str, Progress]]:
        failed = []
        for name, (spec, checkpoint) in self._new.items():
            try:
                replica = Replica(self._task, spec, checkpoint)
            except (Exception, SystemExit) as error:
                failed.append((name, failure(error, None)))
            else:
                self._members[name] = _Member(name, replica, checkpoint, random_state(self._device))
        self._new = {}
        return failed

    def _train(self) -> list[tuple[str, Progress]]:
        """Give every replica as many updates as bring the first to its evaluation; give what failed."""
        members = list(self._members.values())
        updates = min((m.replica.target - m.replica.iteration for m in members), default=0)
        failed: list[tuple[str, Progress]] = []
        for workload, group in self._by_workload(members).items():
            if len(group) > 1 and self._train_stacked(workload, group, updates):
                continue
            for member in group:
                try:
                    began = self._clock()
                    with member.turn(self._device) as replica:
                        replica.train_to(replica.iteration + updates)
                    member.replica.took(self._clock() - began)
                except (Exception, SystemExit) as error:
                    failed.append((member.name, failure(error, member.replica)))
        for name, _ in failed:
            self.drop(name)
        return failed

    def _train_stacked(self, workload: str, group: Sequence[_Member], updates: int) -> bool:
        """Give whether they were, or were taken apart; not where they are to train one after the other."""
        began = self._clock()
        try:
            if (stack := self._stack_of(workload, group)) is None:
                return False
            stack.train(updates)
        except Exception as error:
            self._take_apart(workload, group, error)
            return True
        for member in group:
            member.replica.took((self._clock() - began) / len(group))
        return True

    def _reached(self, member: _Member) -> Progress:
        try:
            with member.turn(self._device) as replica:
                return replica.reach()
        except (Exception, SystemExit) as error:
            return failure(error, member.replica)

    def _by_workload(self, members: Sequence[_Member]) -> dict[str, list[_Member]]:
        groups: dict[str, list[_Member]] = {}
        for member in members:
            arguments = self._task.arguments_of(member.replica.spec.search.entry)
            groups.setdefault(json.dumps(arguments, sort_keys=True, default=str), []).append(member)
        for group in groups.values():
            group.sort(key=lambda m: repr(kind_of(m.replica)))
        return groups

    def _stack_of(self, workload: str, group: Sequence[_Member]) -> Stack | None:
        """The stack of replicas of one workload; None where they are not to be stacked."""
        if not self._may_be_stacked(workload, group):
            return None
        names = tuple(member.name for member in group)
        before = self._stacks.get(workload)
        if before is None or before[0] != names:
            stack = Stack([m.replica for m in group], self._task.recipe, self._device)
            self._stacks[workload] = names, stack
        return self._stacks[workload][1]

    def _may_be_stacked(self, workload: str, group: Sequence[_Member]) -> bool:
        """Try it once for each workload and kinds of optimizers."""
        kinds = {repr(kind_of(member.replica)): member.replica.spec for member in group}
        key = (workload, *sorted(kinds))
        if workload in self._apart or key in self._checked:
            return workload not in self._apart
        self._checked.add(key)
        # With two of a kind: that the rows are kept apart shows in no fewer.
        others = [m.replica.spec for m in group if m.replica.spec not in kinds.values()]
        reason = (
            "its model is compiled"
            if self._task.recipe.compile
            else why_not_stacked(self._task, [*kinds.values(), *others[:1]], self._device)
        )
        if reason is not None:
            self._keep_apart(workload, reason)
        return reason is None

    def _take_apart(self, workload: str, group: Sequence[_Member], error: Exception) -> None:
        """After an error in a stack, which may have torn its replicas: make them anew, from their checkpoints."""
        self._stacks.pop(workload, None)
        self._keep_apart(workload, f"a stack of them failed ({described(error)})")
        for member in group:
            self.drop(member.name)
            self.add(member.name, member.replica.spec, member.checkpoint)

    def _keep_apart(self, workload: str, reason: str) -> None:
        self._apart.add(workload)
        self._notes.append(
            f"{self._task.workload} is trained one replica after the other, not stacked, as {reason}"
        )
