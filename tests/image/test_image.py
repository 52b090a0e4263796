"""The image as hospitals run it: hardened, refused, out of memory, too slow, by mercure's and Express' conventions."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers.films import simulated_crop, write_film

IMAGE = os.environ.get("XRAY2MRI_IMAGE", "")
HARD = [
    *("--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--pids-limit", "256", "--tmpfs", "/tmp:size=2g,mode=1777"),
]
MERCURE = ["--network", "none", "--read-only", "--read-only-tmpfs=false", "--cap-drop", "ALL", "--memory", "6g"]
"""What mercure and the module's description ask Docker for; podman would make /tmp writable by itself."""
QUICK = ["--env", "XRAY2MRI_STEPS=1", "--env", "XRAY2MRI_NO_ESTIMATE=1", "--env", "OMP_NUM_THREADS=1"]
ULIMITS = ["--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096", "--ulimit", "stack=33554432:33554432"]


@pytest.fixture(scope="session", autouse=True)
def _image() -> None:
    if not IMAGE:
        pytest.skip("no image is named: make image, then make test-image")
    if shutil.which("podman") is None:
        pytest.skip("podman (Debian package podman) is not installed")
    if subprocess.run(["podman", "image", "exists", IMAGE], check=False).returncode:
        pytest.skip(f"there is no image {IMAGE}: make image")


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    write_film(folder / "a" / "b" / "film.dcm", simulated_crop())
    (folder / "a" / "b" / "film.dcm.json").write_text("{}")
    readable(folder)
    return folder


def readable(folder: Path) -> None:
    for path in (folder, *folder.rglob("*"), *folder.parents[:2]):
        path.chmod(0o755 if path.is_dir() else 0o644)


def run(*arguments: str, study: Path | None = None, out: Path | None = None, user: str = "10001:10001", **more: object):
    mounts = []
    if study is not None:
        mounts += ["-v", f"{study}:{more.get('at', '/var/holoscan/input')}:ro"]
    if out is not None:
        out.mkdir(exist_ok=True)
        out.chmod(0o777)
        for parent in out.parents[:2]:
            parent.chmod(0o755)
        mounts += ["-v", f"{out}:{more.get('to', '/var/holoscan/output')}:{more.get('mode', 'rw')}"]
    extra = [str(one) for one in more.get("extra", [])]
    command = [
        "podman",
        "run",
        "--rm",
        *more.get("hard", HARD),
        *ULIMITS,
        *QUICK,
        "--user",
        user,
        *mounts,
        *extra,
        IMAGE,
        *arguments,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def test_a_study_becomes_a_result_without_network_rights_or_a_writable_root(study, tmp_path):
    done = run(study=study, out=tmp_path / "out")
    assert done.returncode == 0, done.stderr[-2000:]
    assert list((tmp_path / "out").rglob("IM_0001.dcm"))


def test_a_refusal_ends_with_its_own_code_and_writes_nothing(tmp_path):
    (tmp_path / "empty").mkdir()
    readable(tmp_path / "empty")
    done = run(study=tmp_path / "empty", out=tmp_path / "out")
    assert done.returncode == 3 and "radiograph" in done.stderr and not list((tmp_path / "out").iterdir())


def test_too_little_memory_is_told_from_a_refusal(study, tmp_path):
    done = run(study=study, out=tmp_path / "out", extra=["--memory", "150m"])
    assert done.returncode == 137 and not list((tmp_path / "out").iterdir())


def test_a_time_limit_ends_it(study, tmp_path):
    done = run(study=study, out=tmp_path / "out", extra=["--timeout", "2"])
    assert done.returncode not in (0, 3) and not list((tmp_path / "out").glob("knee_*"))


def test_an_output_that_cannot_be_written_is_said(study, tmp_path):
    done = run(study=study, out=tmp_path / "out", mode="ro")
    assert done.returncode == 2 and "output" in done.stderr


def test_a_full_output_leaves_nothing_half_written(study):
    done = run(study=study, extra=["--tmpfs", "/var/holoscan/output:size=200k,mode=1777"])
    assert done.returncode == 2 and "output" in done.stderr


def test_mercure_runs_it_with_its_own_user_and_folders(study, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    shutil.copy(next(study.rglob("*.dcm")), flat / "1.dcm")
    (flat / "task.json").write_text("{}")
    readable(flat)
    module = json.loads((Path(__file__).parents[2] / "hospital" / "mercure_module.json").read_text())
    arguments = json.loads(module["docker_arguments"])
    variables = {
        **json.loads(module["environment"]), "MERCURE_IN_DIR": "/tmp/data", "MERCURE_OUT_DIR": "/tmp/output",
        "HOLOSCAN_INPUT_PATH": "/tmp/data", "HOLOSCAN_OUTPUT_PATH": "/tmp/output", "XRAY2MRI_SAMPLES": "2",
    }  # fmt: skip
    extra = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
    extra += [word for place, value in arguments["tmpfs"].items() for word in ("--tmpfs", f"{place}:{value}")]
    done = run(
        study=flat, out=tmp_path / "out", user="4321:4321", at="/tmp/data", to="/tmp/output", extra=extra, hard=MERCURE
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert list((tmp_path / "out").glob("*IM_0001.dcm"))  # it sends what lies there, not what lies deeper


def test_express_runs_it_by_a_shell_of_its_own(study, tmp_path):
    done = run(
        "python3 -u /opt/holoscan/app/",
        study=study,
        out=tmp_path / "out",
        user="1000:1000",
        extra=["--entrypoint", '["/bin/bash", "-c"]'],
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_any_user_without_a_home_may_run_it(study, tmp_path):
    done = run(study=study, out=tmp_path / "out", user="54321:54321", extra=["--env", "HOME=/nonexistent"])
    assert done.returncode == 0, done.stderr[-2000:]


def test_it_shows_its_manifests_labels_and_bill_of_materials():
    assert '"apiVersion": "1.0.0"' in run("show").stdout
    labels = json.loads(subprocess.run(["podman", "image", "inspect", IMAGE], capture_output=True, check=True).stdout)
    assert labels[0]["Labels"]["org.opencontainers.image.title"] == "xray2mri" and labels[0]["User"] == "10001:10001"
    assert labels[0]["Size"] < 2.2e9
    bill = subprocess.run(
        ["podman", "run", "--rm", *ULIMITS, "--network", "none", "--entrypoint", "cat", IMAGE,
         "/usr/share/doc/xray2mri/sbom.cdx.json"], capture_output=True, check=True,
    )  # fmt: skip
    assert "pydicom" in {one["name"] for one in json.loads(bill.stdout)["components"]}


def test_the_worker_says_what_its_settings_lack():
    done = run("serve")
    assert done.returncode == 2 and "studies.since" in done.stderr
