"""Parts of a result that are computed side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch

from monai_xray2mri.diffusion.parts import compute_parts


@pytest.mark.parametrize("threads", [1, 3])
def test_every_part_is_computed_and_reported_to_the_caller(threads: int) -> None:
    done, reported, callers = [], [], set()

    def part(number: int) -> Callable[[Callable[[int], object]], None]:
        def compute(report: Callable[[int], object]) -> None:
            done.append(number)
            report(number)

        return compute

    def follow(number: int) -> None:
        reported.append(number)
        callers.add(threading.current_thread())

    compute_parts([part(number) for number in range(7)], threads, follow)
    assert sorted(done) == sorted(reported) == list(range(7))
    assert callers == {threading.current_thread()}


def test_parts_run_at_the_same_time_on_one_thread_each() -> None:
    meeting, found = threading.Barrier(2, timeout=20), []

    def part(report: Callable[[int], object]) -> None:
        meeting.wait()  # breaks if the other part waits for this one to end
        found.append(torch.get_num_threads())

    before = torch.get_num_threads()
    compute_parts([part, part], 2, None)
    assert found == [1, 1]
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_of_a_part_is_raised(threads: int) -> None:
    def wrong(report: Callable[[int], object]) -> None:
        raise MemoryError("too little")

    with pytest.raises(MemoryError, match="too little"):
        compute_parts([wrong, lambda report: report(1)], threads, None)


def test_who_follows_the_progress_can_stop_the_work() -> None:
    begun = []

    def part(report: Callable[[int], object]) -> None:
        begun.append(1)
        for _ in range(10000):
            threading.Event().wait(0.005)
            report(1)

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute_parts([part] * 4, 2, stop)
    assert len(begun) <= 4
