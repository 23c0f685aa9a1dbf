"""Signals: none is lost, whatever the interpreter is doing when it comes."""

import signal

import pytest

from lrsearch.guards import Terminated, Termination


class Doomed:
    def __init__(self, number: signal.Signals) -> None:
        self._number = number

    def __del__(self) -> None:
        signal.raise_signal(self._number)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)]
)
def test_a_signal_that_falls_into_a_destructor_stops_the_run_at_the_next_check(
    number: signal.Signals, raised: type[BaseException]
) -> None:
    with Termination() as termination:
        Doomed(number)  # the interpreter prints what is raised in there, and drops it
        with pytest.raises(raised) as caught:
            termination.check()
    assert type(caught.value) is raised


def test_without_a_signal_nothing_is_raised_and_the_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with Termination() as termination:
        termination.check()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
