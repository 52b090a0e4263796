"""The pool of processes: order, errors, threads, and what is left of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import torch

from monai_xray2mri.errors import InputRefused, OutOfMemory, UsageError
from monai_xray2mri.runtime.worker import Died, Limits, Worker
from monai_xray2mri.runtime.workers import Workers, as_they_come, with_progress


def describe_process(number: int) -> tuple[int, int, str | None, int]:
    return number, os.getpid(), os.environ.get("MKL_NUM_THREADS"), torch.get_num_threads()


def refuse_two(number: int) -> int:
    if number == 2:
        raise InputRefused("number", "must not be 2", "2", "Give another.")
    return number


def kill_own_process(number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def write_then_wait(path: Path) -> None:
    path.write_text(str(os.getpid()))
    signal.pause()


def write_or_wait(path: Path) -> None:
    if path.name == "first":
        return
    write_then_wait(path)


def test_results_come_in_the_order_of_the_tasks_from_processes_of_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    rows = list(Workers(2)(describe_process, range(5)))
    assert [row[0] for row in rows] == [0, 1, 2, 3, 4]
    assert os.getpid() not in {row[1] for row in rows}
    assert {row[2:] for row in rows} == {("1", 1)}
    assert "MKL_NUM_THREADS" not in os.environ


@pytest.mark.parametrize(("workers", "tasks"), [(Workers(1), [1, 2]), (Workers(8), [1])])
def test_little_work_stays_in_this_process(workers: Workers, tasks: list[int]) -> None:
    assert {row[1] for row in workers(describe_process, tasks)} == {os.getpid()}


def test_a_process_of_its_own_can_be_asked_for() -> None:
    ((_, process, _, _),) = Workers(1, apart=True)(describe_process, [0])
    assert process != os.getpid()


def test_an_error_comes_out_as_what_it_was() -> None:
    with pytest.raises(InputRefused) as error:
        list(Workers(2)(refuse_two, range(6)))
    assert (error.value.what, error.value.remedy) == ("number", "Give another.")


def test_a_killed_worker_is_a_lack_of_memory() -> None:
    with pytest.raises(OutOfMemory, match="a worker: must live until its task is done"):
        list(Workers(2)(kill_own_process, range(2)))


def test_closing_ends_the_workers(tmp_path: Path) -> None:
    with closing(Workers(2)(write_or_wait, [tmp_path / "first", tmp_path / "second"])) as results:
        next(results)
        while not (tmp_path / "second").exists() or not (tmp_path / "second").read_text():
            pass
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "second").read_text()), 0)


def test_no_workers_are_refused_and_no_tasks_are_no_work() -> None:
    with pytest.raises(UsageError, match="number of workers"):
        Workers(0)
    assert list(Workers(4, apart=True)(describe_process, [])) == []


def test_progress_is_shown_when_it_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(with_progress(Workers(), "case", shown=True, done=2)(refuse_two, [0, 1])) == [0, 1]
    assert "4/4" in capsys.readouterr().err
    assert list(with_progress(Workers(), "case", shown=False)(refuse_two, [0, 1])) == [0, 1]
    assert not capsys.readouterr().err


class NoPickle(Exception):
    def __init__(self, first: str, second: str) -> None:
        super().__init__(first)


def misbehave(task: str) -> str:
    if task == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if task == "leave":
        os._exit(7)
    if task == "hang":
        time.sleep(600)
    if task == "eat":
        kept = b"x" * 1_500_000_000
        time.sleep(600 + len(kept))
    if task == "refuse":
        raise InputRefused("task", "must be another", "refuse", "Give another.")
    if task == "odd":
        raise NoPickle("of a patient", "named so")
    return f"{task} by {os.getpid()}"


def test_what_a_task_does_ends_no_other() -> None:
    tasks = ["fine", "crash", "leave", "eat", "refuse", "odd", "well"]
    found = dict(as_they_come(misbehave, tasks, 2, Limits(gigabytes=1.2)))
    assert found.keys() == set(tasks)
    assert found["fine"].startswith("fine by") and found["well"].startswith("well by")
    assert found["crash"] == Died("was killed by signal 11", signal=11)
    assert found["leave"] == Died("ended with code 7")
    assert found["eat"] == Died("took more than 1.2 GB of memory and was ended", limit="gigabytes")
    assert isinstance(found["refuse"], InputRefused) and found["refuse"].remedy == "Give another."
    assert isinstance(found["odd"], RuntimeError) and "patient" not in str(found["odd"])


def test_a_task_that_hangs_is_ended() -> None:
    worker = Worker(misbehave, Limits(seconds=0.5))
    assert worker("hang") == Died("took longer than 0.5 s and was ended", limit="seconds")
    worker.end()


def test_a_process_does_one_task_after_another_and_is_started_anew_after_a_death() -> None:
    worker = Worker(misbehave)
    first, second = worker("a"), worker("b")
    assert first[4:] == second[4:]
    assert isinstance(worker("crash"), Died)
    assert worker("c")[4:] != first[4:]
    worker.end()
    assert worker("d") == Died("was ended")


def test_tasks_are_taken_as_processes_are_free() -> None:
    taken = []

    def tasks() -> Iterator[str]:
        for number in range(1_000_000):
            taken.append(number)
            yield str(number)

    with closing(as_they_come(misbehave, tasks(), 1)) as results:
        next(results)
    assert len(taken) < 1000


@pytest.mark.parametrize("limits", [{"seconds": 0}, {"gigabytes": -1.0}])
def test_limits_that_nothing_can_keep_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="limit of"):
        Limits(**limits)
