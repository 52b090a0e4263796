"""``xray2mri prepare --layout pairs``: a release of photographs and radiographs to pairs that training reads."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_xray2mri.cli import main
from monai_xray2mri.errors import ExitCode
from monai_xray2mri.simulation.foot.foot import SimulatedFoot, photograph_whole_foot, simulate_foot
from monai_xray2mri.simulation.foot.people import SEED_RANGES
from monai_xray2mri.simulation.foot.release import FeetSettings, simulate_feet
from monai_xray2mri.systems.foot_xray_sccdm.data.division import patient_of, side_of_name, split_of
from monai_xray2mri.systems.foot_xray_sccdm.data.pairs import read_pairs
from monai_xray2mri.systems.foot_xray_sccdm.pictures import save_png
from monai_xray2mri.types import Side

SEEDS = SEED_RANGES["validation"][:2]


@cache
def foot(number: int = 0) -> SimulatedFoot:
    return simulate_foot(SEEDS[number])


@cache
def whole(number: int = 0) -> np.ndarray:
    """A photograph [900,900,3] of the whole foot on its floor."""
    pixels = np.rint(photograph_whole_foot(SEEDS[number]).photograph.transpose(1, 2, 0) * 255).astype(np.uint8)
    return np.asarray(Image.fromarray(pixels).resize((900, 900), Image.Resampling.BICUBIC))


def cut_out(number: int = 0) -> np.ndarray:
    return np.rint(foot(number).cut_out.transpose(1, 2, 0) * 255).astype(np.uint8)


def film(number: int = 0) -> np.ndarray:
    return np.rint(foot(number).radiograph * 65535).astype(np.uint16)


def write(folder: Path, photograph: np.ndarray | None, radiograph: np.ndarray | None) -> Path:
    """A folder of a foot."""
    folder.mkdir(parents=True, exist_ok=True)
    if photograph is not None:
        Image.fromarray(photograph).save(folder / "original.png")
    if radiograph is not None:
        Image.fromarray(radiograph).save(folder / "xray.png")
    return folder


def prepared(release: Path, output: Path, *more: str) -> int:
    arguments = ["prepare", "--quiet", "--layout", "pairs", "--release", str(release), "--output", str(output)]
    return main([*arguments, *more])


def report(output: Path) -> dict[str, dict[str, str]]:
    content: dict[str, dict[str, str]] = json.loads((output / "report.json").read_text())
    return content


def pair(output: Path, name: str) -> tuple[Path, dict[str, object]]:
    folder = output / report(output)["splits"][name] / name
    return folder, json.loads((folder / "pair.json").read_text())


def opened(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file)).astype(np.float32)


def alike(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def test_what_is_cut_out_and_registered_is_only_framed(tmp_path: Path) -> None:
    write(tmp_path / "release" / "0012_R", cut_out(), film())
    assert prepared(tmp_path / "release", tmp_path / "pairs") == ExitCode.DONE
    folder, facts = pair(tmp_path / "pairs", "0012_R")
    assert (facts["side"], facts["how"]) == ("R", "as it was")
    assert alike(opened(folder / "xray.png"), film()) > 0.95
    assert alike(opened(folder / "original.png").mean(2), cut_out().mean(2)) > 0.95
    stored = read_pairs(folder.parent)
    assert stored.names == ("0012_R",)


def test_a_photograph_with_its_floor_is_cut_out_and_registered(tmp_path: Path) -> None:
    larger = np.pad(np.asarray(Image.fromarray(film()).resize((420, 420))), ((40, 90), (70, 30)))
    write(tmp_path / "release" / "a", whole(), larger)
    assert prepared(tmp_path / "release", tmp_path / "pairs", "--force") == ExitCode.DONE
    folder, facts = pair(tmp_path / "pairs", "a")
    assert (facts["side"], facts["how"]) == ("R", "cut out and registered here")
    assert float(str(facts["overlap"])) > 0.9
    assert alike(opened(folder / "xray.png"), film()) > 0.85
    assert (opened(folder / "original.png")[:, :20] == 0).all()


def test_a_left_foot_is_mirrored_by_its_name_or_its_bones(tmp_path: Path) -> None:
    mirrored = np.ascontiguousarray(cut_out()[:, ::-1]), np.ascontiguousarray(film()[:, ::-1])
    write(tmp_path / "release" / "7" / "left", *mirrored)
    write(tmp_path / "release" / "8", *mirrored)
    assert prepared(tmp_path / "release", tmp_path / "pairs", "--workers", "2") == ExitCode.DONE
    for name in ("7-left", "8"):
        folder, facts = pair(tmp_path / "pairs", name)
        assert facts["side"] == "L"
        assert alike(opened(folder / "xray.png"), film()) > 0.95


def test_unfit_pairs_are_left_out_with_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    release, output = tmp_path / "release", tmp_path / "pairs"
    write(release / "good", cut_out(), film())
    write(release / "no film", cut_out(), None)
    write(release / "no photograph", None, film())
    (write(release / "damaged", cut_out(), film()) / "xray.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (write(release / "two", cut_out(), film()) / "original2.png").write_bytes(b"")
    write(release / "another size", whole(), film()[60:150])
    write(release / "0012_L", cut_out(), film()).joinpath("xray.png").rename(release / "0012_L" / "xray_R.png")
    write(release / "one" / "foot", cut_out(), film())
    write(release / "one-foot", cut_out(), film())
    write(release / "empty film", cut_out(), np.zeros_like(film()))
    save_png(Image.fromarray((film() >> 8).astype(np.uint8)), write(release / "own", cut_out(), None) / "xray.png")
    (write(release / "damaged photograph", None, film()) / "original.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    both = np.concatenate((whole()[:, 150:750][:, ::-1], whole()[:, 150:750]), axis=1)
    write(release / "both feet", both, film())
    assert prepared(release, output) == ExitCode.SOME_CASES_FAILED
    skipped = report(output)["skipped"]
    reasons = {
        "no film": "one radiograph", "no photograph": "one photograph", "damaged": "can be read", "two": "2 of them",
        "another size": "outlines that agree by 0.8", "0012_L": "one side of the body", "one-foot": "a name of its own",
        "empty film": "empty or tiny", "own": "a result of this software", "damaged photograph": "cut off or damaged",
        "both feet": "both feet",
    }  # fmt: skip
    assert set(skipped) == set(reasons)
    for name, reason in reasons.items():
        assert reason in skipped[name], name
    text = (output / "report.txt").read_text()
    assert "Left out: 11" in text and "no film: " in text
    assert "report.txt" in capsys.readouterr().err
    assert list(report(output)["splits"]) == ["good"]
    assert prepared(release, output, "--allow-partial") == ExitCode.DONE


def as_photograph(kind: str) -> Image.Image:
    """The cut-out photograph as a PNG of a kind; where it is transparent, what is hidden is white."""
    pixels = cut_out()
    if kind == "palette":
        return Image.fromarray(pixels).quantize(256)
    if kind == "alpha":
        seen = pixels.max(2) > 0
        return Image.fromarray(np.dstack((np.where(seen[..., None], pixels, 255), seen * 255)).astype(np.uint8))
    gray = pixels.mean(2)
    return Image.fromarray((gray * 257).astype(np.uint16) if kind == "16 bit" else gray.astype(np.uint8))


def as_film(kind: str) -> Image.Image:
    """The radiograph as a PNG of a kind."""
    deep = film()
    gray = (deep >> 8).astype(np.uint8)
    if kind == "palette":
        return Image.fromarray(gray).convert("P")
    if kind == "alpha":
        return Image.fromarray(np.dstack((np.where(gray > 0, gray, 255), (gray > 0) * 255)).astype(np.uint8))
    return Image.fromarray(deep if kind == "16 bit" else gray)


@pytest.mark.parametrize("kind", ["palette", "alpha", "16 bit", "grey"])
def test_every_kind_of_png_gives_the_same_pair(kind: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "release" / "1_R", None, None)
    as_photograph(kind).save(folder / "original.png")
    as_film(kind).save(folder / "xray.png")
    assert prepared(tmp_path / "release", tmp_path / "pairs") == ExitCode.DONE
    folder, facts = pair(tmp_path / "pairs", "1_R")
    assert (facts["how"], facts["remarks"]) == ("as it was", [])
    with Image.open(folder / "original.png") as photograph, Image.open(folder / "xray.png") as radiograph:
        assert (photograph.mode, radiograph.mode) == ("RGB", "I;16")
    assert alike(opened(folder / "xray.png"), film()) > 0.95
    assert alike(opened(folder / "original.png").mean(2), cut_out().mean(2)) > 0.95
    assert np.abs(opened(folder / "xray.png").mean() / film().mean() - 1) < 0.05


def test_mixed_sides_are_left_out(tmp_path: Path) -> None:
    release = tmp_path / "release"
    write(release / "good", cut_out(), film())
    write(release / "mixed", whole(), np.ascontiguousarray(film()[:, ::-1]))
    assert prepared(release, tmp_path / "pairs", "--force") == ExitCode.SOME_CASES_FAILED
    assert "one side of the body on both pictures" in report(tmp_path / "pairs")["skipped"]["mixed"]


def test_a_release_without_a_pair_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "release" / "a", cut_out(), None)
    assert prepared(tmp_path / "release", tmp_path / "pairs") == ExitCode.INPUT_REFUSED
    assert prepared(tmp_path / "nowhere", tmp_path / "pairs") == ExitCode.USAGE
    assert prepared(tmp_path / "release", tmp_path / "release" / "inside") == ExitCode.USAGE


def test_simulated_feet_go_into_the_split_of_their_seed(tmp_path: Path) -> None:
    release, output = tmp_path / "release", tmp_path / "pairs"
    for split in ("training", "test"):
        simulate_feet(release / split, SEED_RANGES[split][:1], FeetSettings())
    assert prepared(release, output) == ExitCode.DONE
    names = sorted(report(output)["splits"].items(), key=lambda row: row[1])
    assert [split for _, split in names] == ["test", "training"]
    for name, split in names:
        source, target = release / split / name.split("-")[-1], output / split / name
        for file in ("original.png", "xray.png", "floor.png"):
            assert (source / file).read_bytes() == (target / file).read_bytes()


def test_the_same_command_goes_on_and_another_division_is_refused(tmp_path: Path) -> None:
    release, output = tmp_path / "release", tmp_path / "pairs"
    write(release / "a", cut_out(), film())
    assert prepared(release, output) == ExitCode.DONE
    folder, _ = pair(output, "a")
    before = (folder / "xray.png").stat().st_mtime_ns
    write(release / "b", cut_out(1), film(1))
    assert prepared(release, output) == ExitCode.DONE
    assert (folder / "xray.png").stat().st_mtime_ns == before
    assert set(report(output)["splits"]) == {"a", "b"}
    assert prepared(release, output, "--split-seed", "1") == ExitCode.USAGE


def test_both_feet_of_a_patient_are_in_one_split() -> None:
    names = [f"{patient:04d}{end}" for patient in range(300) for end in ("_L", "_R")]
    splits = {name: split_of(patient_of(name)) for name in names}
    assert all(splits[left] == splits[right] for left, right in zip(names[::2], names[1::2], strict=True))
    shares = [sum(value == split for value in splits.values()) / 600 for split in ("training", "validation", "test")]
    assert shares == pytest.approx([115 / 145, 15 / 145, 15 / 145], abs=0.05)
    assert any(split_of(patient_of(name), 1) != split for name, split in splits.items())


@pytest.mark.parametrize(
    ("name", "side"),
    [("0012_L", Side.LEFT), ("0012-right", Side.RIGHT), ("12R", Side.RIGHT), ("xray", None), ("L_and_R", None)],
)
def test_a_name_tells_the_side(name: str, side: Side | None) -> None:
    assert side_of_name(name) is side
