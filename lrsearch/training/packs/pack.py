"""Several replicas in one process: stacked where they can be, one after the other where not."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from lrsearch import users_code
from lrsearch.task.model import Task
from lrsearch.training.device import training_device
from lrsearch.training.packs.check import why_not_together
from lrsearch.training.packs.passes import Way
from lrsearch.training.packs.stack import Stack
from lrsearch.training.packs.turns import Turn
from lrsearch.training.packs.updates import kind_of
from lrsearch.training.progress import Progress
from lrsearch.training.replica import Replica
from lrsearch.training.train import failure
from lrsearch.training.workloads import described
from lrsearch.trial import TrialSpec


@dataclass
class _Member:
    """A replica in a pack, with its random numbers."""

    name: str
    replica: Replica
    checkpoint: Path
    turn: Turn


class Pack:
    """Trains replicas of one task in lock-step: all make as many updates, then those are evaluated that are due.

    Those of one workload are stacked once a check has shown that this changes nothing (``check``). The others train one
    after the other, to the bit as each alone. One that diverges, fails or leaves does not touch the others.

    Args:
        task: that they are of.
        ways: in which their passes may be run together, the first that serves a workload is taken.
        clock: gives seconds.
    """

    def __init__(
        self,
        task: Task,
        ways: Sequence[Way] = ("stacked",),
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._task = task
        self._ways = ways
        self._clock = clock
        self._device = training_device(task)
        self._new: dict[str, tuple[TrialSpec, Path]] = {}
        self._members: dict[str, _Member] = {}
        self._stacks: dict[str, tuple[tuple[str, ...], Stack]] = {}
        self._checked: set[tuple[str, ...]] = set()
        self._refused: dict[str, dict[Way, str]] = {}
        """By workload: the ways that do not serve it, and why."""
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
            users_code.begin(checkpoint.stem)
            try:
                replica = Replica(self._task, spec, checkpoint)
                users_code.check()
            except (Exception, SystemExit) as error:
                failed.append((name, failure(error, None)))
            else:
                self._members[name] = _Member(
                    name, replica, checkpoint, Turn(self._device, replica.generators)
                )
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
                users_code.prints_to(member.checkpoint.stem)
                try:
                    began = self._clock()
                    with member.turn():
                        member.replica.train_to(member.replica.iteration + updates)
                    users_code.check()
                    member.replica.took(self._clock() - began)
                except (Exception, SystemExit) as error:
                    failed.append((member.name, failure(error, member.replica)))
        for name, _ in failed:
            self.drop(name)
        return failed

    def _train_stacked(self, workload: str, group: Sequence[_Member], updates: int) -> bool:
        """Give whether they were, or were taken apart; not where they are to train one after the other."""
        began = self._clock()
        users_code.prints_to(users_code.PACK)
        try:
            if (stack := self._stack_of(workload, group)) is None:
                return False
            stack.train(updates)
            users_code.check()
        except Exception as error:
            self._take_apart(workload, group, error)
            return True
        for member in group:
            member.replica.took((self._clock() - began) / len(group))
        return True

    def _reached(self, member: _Member) -> Progress:
        users_code.prints_to(member.checkpoint.stem)
        try:
            with member.turn():
                progress = member.replica.reach()
            users_code.check()
            return progress
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
        """The stack of replicas of one workload; None where they are not to be trained together."""
        way = self._way_of(workload, group)
        if way is None:
            return None
        names = (way, *(member.name for member in group))
        before = self._stacks.get(workload)
        if before is None or before[0] != names:
            replicas, turns = [m.replica for m in group], [m.turn for m in group]
            self._stacks[workload] = names, Stack(replicas, turns, self._task.recipe, self._device, way)
        return self._stacks[workload][1]

    def _way_of(self, workload: str, group: Sequence[_Member]) -> Way | None:
        """The first way that serves a workload; each is tried once for its kinds of optimizers."""
        kinds = {repr(kind_of(member.replica)): member.replica.spec for member in group}
        # With two of a kind: that the rows are kept apart shows in no fewer.
        others = [m.replica.spec for m in group if m.replica.spec not in kinds.values()]
        for way in self._ways:
            key = (way, workload, *sorted(kinds))
            if key not in self._checked:
                self._checked.add(key)
                reason = why_not_together(self._task, [*kinds.values(), *others[:1]], self._device, way)
                if reason is not None:
                    self._refuse(workload, way, reason)
            if way not in self._refused.get(workload, {}):
                return way
        return None

    def _take_apart(self, workload: str, group: Sequence[_Member], error: Exception) -> None:
        """After an error in a stack, which may have torn its replicas: make them anew, from their checkpoints."""
        way = cast(Way, self._stacks.pop(workload)[0][0]) if workload in self._stacks else self._ways[0]
        self._refuse(workload, way, f"a pack of them failed ({described(error)})")
        for member in group:
            self.drop(member.name)
            self.add(member.name, member.replica.spec, member.checkpoint)

    def _refuse(self, workload: str, way: Way, reason: str) -> None:
        reasons = self._refused.setdefault(workload, {})
        reasons[way] = reason
        if len(reasons) == len(self._ways):
            self._notes.append(
                f"{self._task.workload} is trained one replica after the other, not {' nor '.join(reasons)}, "
                f"as {'; as '.join(dict.fromkeys(reasons.values()))}"
            )
