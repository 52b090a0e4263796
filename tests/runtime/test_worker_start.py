"""How a worker process starts: ahead of its first task, prepared, and without this process's main module."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from monai_xray2mri.runtime.worker import Worker

SCRIPT = """
print("main is loaded", flush=True)
from monai_xray2mri.runtime.worker import Worker

if __name__ == "__main__":
    worker = Worker(abs, with_main={with_main})
    print(worker(-3), flush=True)
    worker.end()
"""


def unprepared(path: Path) -> None:
    path.touch()
    raise RuntimeError("nothing to load")


def test_a_process_is_prepared_before_its_first_task_comes(tmp_path: Path) -> None:
    worker: Worker[int, int] = Worker(abs, prepare=partial(unprepared, tmp_path / "prepared"))
    assert worker.pid is None
    worker.start()
    begin = time.monotonic()
    while not (tmp_path / "prepared").exists():
        assert time.monotonic() - begin < 120
        time.sleep(0.05)
    process = worker.pid
    assert worker(-3) == 3 and worker.pid == process  # what preparing raises is left to the tasks
    worker.end()
    worker.start()
    assert worker.pid == process  # one that was ended stays so


@pytest.mark.parametrize(("with_main", "loaded"), [(True, 2), (False, 1)])
def test_the_main_module_is_loaded_again_only_where_it_is_needed(with_main: bool, loaded: int, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(with_main=with_main))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=300)
    assert done.stdout.splitlines().count("main is loaded") == loaded and "3" in done.stdout, done.stderr
