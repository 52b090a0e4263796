"""The pool of processes: order, errors, threads, and what is left of it."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from pathlib import Path

import pytest
import torch

from monai_xray2mri.errors import InputRefused, OutOfMemory, UsageError
from monai_xray2mri.runtime.workers import Workers, with_progress


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
