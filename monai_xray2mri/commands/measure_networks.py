"""Measures of networks for ``xray2mri measure``: the shipped small networks, and the continuity of a bundle."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Final

from monai_xray2mri.commands.measure_simulator import SEED_RANGES
from monai_xray2mri.commands.options import add_bundle, named_path, show_progress
from monai_xray2mri.errors import ExitCode

if TYPE_CHECKING:
    import numpy as np

TARGETS: Final = ("acquired", "noise-free", "reconstructed")
"""Choices of ``continuity --target``: the true volumes."""


def add_measures(names: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the measures to the sub-command ``measure``.

    Args:
        names: the sub-parsers of ``measure``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    detector = names.add_parser("detector", parents=[common], help="what the joint detector finds on unseen films")
    detector.add_argument(
        "--films", type=named_path, required=True, help="folder of simulated films of the validation range"
    )
    detector.add_argument("--real", type=named_path, help="public crops of the validation split")
    detector.add_argument("--details", action="store_true", help="also every overlap and error")
    detector.set_defaults(run=measure_detector)

    koa = names.add_parser("koa", parents=[common], help="how well the classifier grades osteoarthritis")
    koa.add_argument(
        "--real",
        type=named_path,
        action="append",
        default=[],
        help="public crops, with the folder val; may be repeated",
    )
    koa.add_argument("--knees", type=int, default=0, help="simulated validation knees (default: none)")
    koa.add_argument("--weights", type=named_path, help="other weights than the shipped ones")
    koa.add_argument("--output", type=named_path, help="also write the report to this file")
    koa.set_defaults(run=measure_koa)

    lesions = names.add_parser("lesions", parents=[common], help="what the joint segmenter measures on known knees")
    lesions.add_argument("--split", choices=SEED_RANGES, default="test", help="(default: %(default)s)")
    lesions.add_argument("--knees", type=int, default=100, help="(default: %(default)s)")
    lesions.add_argument("--workers", type=int, default=1, help="processes, one thread each (default: %(default)s)")
    lesions.add_argument(
        "--choose-thresholds", type=int, metavar="KNEES",
        help="first choose the thresholds of the lesion reading on validation knees, and store them in the package",
    )  # fmt: skip
    lesions.set_defaults(run=measure_lesions)

    continuity = names.add_parser(
        "continuity", parents=[common], help="how much alike a bundle's neighboring slices are"
    )
    add_bundle(continuity)
    continuity.add_argument("--split", choices=SEED_RANGES, default="validation", help="(default: %(default)s)")
    continuity.add_argument("--knees", type=int, default=4, help="(default: %(default)s)")
    continuity.add_argument(
        "--target", choices=TARGETS, default="reconstructed",
        help="the true volumes whose continuity counts (default: %(default)s)",
    )  # fmt: skip
    continuity.add_argument(
        "--lengths-mm", type=float, nargs="+", default=[0.75, 1.5, 3.0], help="lengths to choose among"
    )
    continuity.add_argument("--steps", type=int, help="sampling steps (default: the bundle's)")
    continuity.add_argument("--output", type=named_path, help="also write the report to this file")
    continuity.set_defaults(run=measure_continuity)

    projections = names.add_parser(
        "projections", parents=[common], help="volumes of knee_xray2mri for the suite of X-Diffusion",
        description="Generates MR volumes of simulated test knees from their radiographs and writes them as CASE.npy "
        "[samples,96,96,96], to be entered with xray2mri evaluate --method NAME=FOLDER into the study projection.",
    )  # fmt: skip
    add_bundle(projections)
    projections.add_argument("--output", type=named_path, required=True, help="folder of the volumes")
    projections.add_argument("--knees", type=int, default=1, help="(default: %(default)s)")
    projections.add_argument("--samples", type=int, default=8, help="of each knee (default: %(default)s)")
    projections.add_argument("--seed", type=int, default=0, help="of knees and samples (default: %(default)s)")
    projections.add_argument("--device", default="auto", help="auto, cuda, mps or cpu (default: %(default)s)")
    projections.set_defaults(run=measure_projections)


def measure_detector(options: argparse.Namespace) -> int:
    """Print the accuracy of the joint detector as JSON."""
    from monai_xray2mri.knee.detection.training.joints_report import report

    print(json.dumps(report(options.films, options.real, options.details), indent=2))
    return ExitCode.DONE


def measure_koa(options: argparse.Namespace) -> int:
    """Print the accuracy of the classifier as JSON, and write it to ``--output`` if given.

    Raises:
        Xray2MRIError: weights or crops cannot be read, or the file cannot be written.
    """
    from monai_xray2mri.knee.detection.training.koa_report import report
    from monai_xray2mri.runtime.files import write_whole

    text = json.dumps(report(options.real, options.knees, options.weights), indent=1)
    if options.output:
        write_whole(options.output, text.encode())
    print(text)
    return ExitCode.DONE


def measure_lesions(options: argparse.Namespace) -> int:
    """Print the accuracy of the joint segmenter as JSON.

    Raises:
        Xray2MRIError: fewer than one worker, or a worker was killed.
    """
    from monai_xray2mri.knee.measures.lesion_report import report, store_thresholds
    from monai_xray2mri.runtime.workers import Workers, with_progress

    run = with_progress(Workers(options.workers), "knee", show_progress(options))
    if options.choose_thresholds:
        store_thresholds(options.choose_thresholds, run)
    print(json.dumps(report(options.split, options.knees, run), indent=2))
    return ExitCode.DONE


def measure_continuity(options: argparse.Namespace) -> int:
    """Print the continuity of a bundle and the best noise over depth as JSON, and write it to ``--output`` if given.

    Raises:
        Xray2MRIError: the bundle cannot be loaded, or the file cannot be written.
    """
    from monai_xray2mri.runtime.files import write_whole
    from monai_xray2mri.systems.knee_xray2mri.evaluation.continuity import measure_bundle
    from monai_xray2mri.systems.registry import default_bundle

    found = measure_bundle(
        options.bundle or default_bundle(),
        options.split,
        options.knees,
        target=options.target,
        lengths_mm=options.lengths_mm,
        steps=options.steps,
        progress=show_progress(options),
    )
    text = json.dumps(found, indent=2) + "\n"
    if options.output is not None:
        write_whole(options.output, text.encode())
    print(text, end="")
    return ExitCode.DONE


def measure_projections(options: argparse.Namespace) -> int:
    """Write the volumes of knees that are missing, and print the folder.

    Raises:
        UsageError: fewer than one sample, or there are not so many knees.
        WeightsError: the bundle cannot be loaded, or is none of knee_xray2mri.
    """
    from tqdm import tqdm

    from monai_xray2mri.errors import UsageError, WeightsError
    from monai_xray2mri.evaluation.methods import generate
    from monai_xray2mri.runtime.files import write_whole
    from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import SimulatedCohort
    from monai_xray2mri.systems.knee_xray2mri.evaluation.suites import SUITES
    from monai_xray2mri.systems.registry import default_bundle, system_of

    if options.samples < 1:
        raise UsageError("option samples", "must be at least 1", str(options.samples))
    bundle = options.bundle or default_bundle()
    system = system_of(bundle)
    if system.name != "knee_xray2mri":
        raise WeightsError(f"bundle {bundle.name}", "must be of the system knee_xray2mri", system.name)
    cohort = SimulatedCohort("test", options.knees, options.seed)
    method = next(iter(SUITES.values())).bundle_method(system.predictor(bundle, options.device), bundle)
    options.output.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(tqdm(cohort.names, unit="knee", disable=not show_progress(options))):
        path = options.output / f"{name}.npy"
        if not path.exists():
            drawn = generate(method, cohort[index].inputs, options.samples, options.seed)  # [samples,50,256,256]
            write_whole(path, _in_the_cube(drawn))
    print(options.output)
    return ExitCode.DONE


def _in_the_cube(drawn: np.ndarray) -> bytes:
    """Volumes of the modelled slices as the NumPy file of volumes [samples,96,96,96] in 16 bits."""
    import io

    import numpy as np

    from monai_xray2mri.knee.data.arrays import ACQUIRED_SLICES, MODELED_SLICES
    from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import knee_cube

    first, last = MODELED_SLICES
    cubes = []
    for volume in drawn:
        scan = np.zeros((ACQUIRED_SLICES, *volume.shape[1:]), np.float32)
        scan[first : last + 1] = volume
        cubes.append(knee_cube(scan).voxels.clip(0, 1).astype(np.float16))
    stream = io.BytesIO()
    np.save(stream, np.stack(cubes))
    return stream.getvalue()
