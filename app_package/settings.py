"""What the app is told: the options of every MONAI Deploy app, and its own, each with an environment variable."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_xray2mri.core.system import Label
from monai_xray2mri.types import Side

BUNDLE = "knee_xray2mri"
TRUE = frozenset({"1", "true", "yes", "on"})
LOG_LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "CRITICAL")


@dataclass(frozen=True)
class Settings:
    """How the app is to run.

    Attributes:
        input: folder of the study.
        output: folder of the results.
        bundle: folder of the MONAI Bundle.
        side: the only knee wanted; None = both.
        seed: seed of the initial noise.
        steps: sampling steps; None = the bundle's.
        samples: volumes that are drawn; from two on their spread is written too.
        sample_series: also write a series per sample.
        parametric_map: also write the uncertainty as a Parametric Map.
        features: JSON or CSV file of the features; None = the study's structured report.
        oai_table: OAI's central readings, for knees that no report grades.
        label: ``"corner"`` burns a small SYNTHETIC into the slices, ``"none"`` does not.
        device: ``auto``, ``cuda``, ``mps`` or ``cpu``.
        force: use also radiographs that the checks doubt; the result says so.
        estimate: let a classifier grade a knee that nothing else grades.
        allow_partial: a study of which one knee was refused and the other written ends with exit code 0.
        log_level: how much is logged.
    """

    input: Path
    output: Path
    bundle: Path
    side: Side | None
    seed: int
    steps: int | None
    samples: int
    sample_series: bool
    parametric_map: bool
    features: Path | None
    oai_table: Path | None
    label: Label
    device: str
    force: bool
    estimate: bool
    allow_partial: bool
    log_level: str


def read_settings(arguments: Sequence[str]) -> Settings:
    """Read options and environment variables; options win.

    Args:
        arguments: the command line without the program.

    Raises:
        SystemExit: with code 2 and a message for an unknown or malformed option, with code 0 for ``--help``.
    """
    values = vars(_parser().parse_args(arguments))
    values.pop("workdir")
    model = values.pop("model")
    return Settings(**values, bundle=find_bundle(model))


def find_bundle(model: Path | None) -> Path:
    """The folder of the bundle.

    Args:
        model: the bundle itself, or the folder of models of a MONAI Application Package, which holds it as a
            sub-folder; None = ``models`` in the current folder, if there is one, else the bundle of the package.

    Returns:
        The bundle, or ``model`` if it holds none (loading it says then what is missing).
    """
    if model is None:
        from monai_xray2mri.core.bundles import shipped_bundle  # torch takes seconds to import

        model = Path("models") if Path("models").is_dir() else shipped_bundle(BUNDLE)
    if (model / "configs").is_dir():
        return model
    inside = [model / BUNDLE] if (model / BUNDLE / "configs").is_dir() else sorted(model.glob("*/configs/.."))
    return inside[0].resolve() if len(inside) == 1 else model


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="app_package",
        description="Synthetic MR series from the knee radiographs of a DICOM study. Not for clinical use.",
        epilog="An option wins over its environment variable, which stands behind it.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )

    def add(flags: str, variable: str, fallback: object, text: str, **more: Any) -> None:
        default = os.environ.get(variable) or fallback
        parser.add_argument(*flags.split(), default=default, help=f"{text} [{variable}]", **more)

    label, levels = _one_of("corner", "none"), _one_of(*LOG_LEVELS)
    add("-i --input", "HOLOSCAN_INPUT_PATH", "input", "folder of the study", type=Path, metavar="PATH")
    add("-o --output", "HOLOSCAN_OUTPUT_PATH", "output", "folder of the results", type=Path, metavar="PATH")
    add("-m --model", "HOLOSCAN_MODEL_PATH", None, "the MONAI Bundle, or its parent", type=Path, metavar="PATH")
    add("-w --workdir", "HOLOSCAN_WORKDIR", None, "for every MONAI Deploy app; not used here", metavar="PATH")
    add("-l --log-level", "XRAY2MRI_LOG_LEVEL", "INFO", "how much is logged", type=levels, metavar="LEVEL")
    add("--side", "XRAY2MRI_SIDE", None, "the only knee wanted, R or L", type=_side, metavar="SIDE")
    add("--seed", "XRAY2MRI_SEED", 0, "seed of the initial noise", type=int, metavar="N")
    add("--steps", "XRAY2MRI_STEPS", None, "sampling steps, if not the bundle's", type=int, metavar="N")
    add("--samples", "XRAY2MRI_SAMPLES", 1, "volumes drawn; from 2 on with uncertainty", type=int, metavar="N")
    add("--features", "XRAY2MRI_FEATURES", None, "JSON or CSV file of the 19 features", type=Path, metavar="FILE")
    add("--oai-table", "XRAY2MRI_OAI_TABLE", None, "OAI readings, if there is no report", type=Path, metavar="FILE")
    add("--label", "XRAY2MRI_LABEL", "corner", "corner burns a small SYNTHETIC in, none does not", type=label)
    add("--device", "XRAY2MRI_DEVICE", "auto", "auto, cuda, mps or cpu", metavar="NAME")
    series = os.environ.get("XRAY2MRI_SAMPLE_SERIES", "").lower() in TRUE
    text = "also write a series per sample [XRAY2MRI_SAMPLE_SERIES]"
    parser.add_argument("--sample-series", action="store_true", default=series, help=text)
    floats = os.environ.get("XRAY2MRI_PARAMETRIC_MAP", "").lower() in TRUE
    text = "also write the uncertainty as a Parametric Map [XRAY2MRI_PARAMETRIC_MAP]"
    parser.add_argument("--parametric-map", action="store_true", default=floats, help=text)
    forced = os.environ.get("XRAY2MRI_FORCE", "").lower() in TRUE
    text = "use also a radiograph that the checks doubt; the result says so [XRAY2MRI_FORCE]"
    parser.add_argument("--force", action="store_true", default=forced, help=text)
    unknown = os.environ.get("XRAY2MRI_NO_ESTIMATE", "").lower() in TRUE
    text = "leave a knee that nothing grades unknown instead of grading it with a classifier [XRAY2MRI_NO_ESTIMATE]"
    parser.add_argument("--no-estimate", dest="estimate", action="store_false", default=not unknown, help=text)
    partial = os.environ.get("XRAY2MRI_ALLOW_PARTIAL", "").lower() in TRUE
    text = "end with code 0 instead of 8 if one knee was refused and another written [XRAY2MRI_ALLOW_PARTIAL]"
    parser.add_argument("--allow-partial", action="store_true", default=partial, help=text)
    return parser


def _side(text: str) -> Side:
    return Side(_one_of(*Side)(text[:1] if text.lower() in {"right", "left"} else text))


def _one_of(*known: str) -> Callable[[str], str]:
    """A checker of argparse that takes any case; argparse's own ``choices`` would not check environment variables."""

    def check(text: str) -> str:
        for value in known:
            if text.lower() == value.lower():
                return value
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(known)}, not {text!r}")

    return check
