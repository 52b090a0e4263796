"""``xray2mri prepare``: exit codes, what goes to stdout and what to stderr."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from monai_xray2mri.commands.prepare import add_command
from monai_xray2mri.errors import ExitCode, InputRefused, SomeCasesFailed, UsageError
from tests.knee.oai.conftest import NUMBER, OTHER, Release


def run(*arguments: object) -> int:
    """Parse the sub-command's arguments and carry it out."""
    parser = argparse.ArgumentParser()
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("-q", "--quiet", action="store_true")
    add_command(parser.add_subparsers(required=True), common)
    options = parser.parse_args(["prepare", *map(str, arguments)])
    return int(options.run(options))


def test_a_whole_release_ends_with_0_and_prints_the_list(
    release: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--release", release.root, "--output", tmp_path / "out", "--visits", "00m,V06") == ExitCode.DONE
    captured = capsys.readouterr()
    assert captured.out == f"{tmp_path / 'out' / 'dataset.json'}\n"
    assert "1 knees" in captured.err and NUMBER not in captured.err


def test_options_reach_the_preparation(release: Release, tmp_path: Path) -> None:
    arguments = [
        "--boxes",
        "detector",
        "--missing",
        "zero",
        "--ungraded",
        "keep",
        "--protocol",
        "001",
        "--split-seed",
        3,
    ]
    run("--release", release.root, "--output", tmp_path / "out", "--quiet", *arguments)
    options = json.loads((tmp_path / "out" / "report.json").read_text())["options"]
    assert [options[name] for name in ("boxes", "missing", "ungraded", "protocol", "split_seed", "visits")] == [
        "detector", "zero", "keep", "001", 3, ["V00"],
    ]  # fmt: skip


def test_something_broken_ends_with_8_after_all_is_written(release: Release, tmp_path: Path) -> None:
    release.add_mr(OTHER, "10600001")
    (release.add_film(OTHER, "00600001")).write_bytes(b"x" * 2000)
    with pytest.raises(SomeCasesFailed, match="1 things that are broken") as caught:
        run("--release", release.root, "--output", tmp_path / "out")
    assert caught.value.exit_code == 8 and OTHER not in str(caught.value)
    assert (tmp_path / "out" / "dataset.json").exists()
    assert run("--release", release.root, "--output", tmp_path / "out", "--allow-partial") == 0


def test_nothing_usable_ends_with_3(empty_release: Release, tmp_path: Path) -> None:
    with pytest.raises(InputRefused) as caught:
        run("--release", empty_release.root, "--output", tmp_path / "out")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("visits", ["", "V07", "00m,spring"])
def test_unknown_visits_end_with_2(release: Release, tmp_path: Path, visits: str) -> None:
    with pytest.raises(UsageError, match="V06"):
        run("--release", release.root, "--output", tmp_path / "out", "--visits", visits)
