"""The command line ``xray2mri``: stdout is for asked data, stderr for people, ``report.json`` for programs.

Exit codes: see :class:`monai_xray2mri.errors.ExitCode`. Modules that need torch are imported by the sub-command that
uses them, so that ``--help`` and usage errors answer at once.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.errors import ExitCode, SomeCasesFailed, Xray2MRIError, describe_unexpected

RED_LINE = "Research only, not for clinical use: the MRI is generated from a radiograph, not acquired."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command.

    Args:
        arguments: without the program's name; None takes those of the process.

    Returns:
        The exit code.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        with quiet():  # pydicom and the Deploy SDK, if it is installed, warn about things that users cannot act on
            return int(options.run(options))
    except Xray2MRIError as error:
        print(f"xray2mri: {error}", file=sys.stderr)
        return int(error.exit_code)
    except Exception as error:  # its text may quote the input
        print(f"xray2mri: {describe_unexpected(error)}", file=sys.stderr)
        return ExitCode.UNEXPECTED
    except KeyboardInterrupt:
        print("xray2mri: interrupted; nothing half-written was left", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="xray2mri", description=f"Synthetic knee MR from a radiograph. {RED_LINE}")
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("-q", "--quiet", action="store_true", help="no progress, only errors")
    study = argparse.ArgumentParser(add_help=False)
    study.add_argument("input", type=Path, help="study folder, DICOM file, or PNG/JPEG of one knee")
    study.add_argument(
        "--side", choices=["R", "L"], help="the only knee wanted, or the side of a film that does not say"
    )
    study.add_argument("--features", type=Path, help="JSON with the 19 radiographic features; replaces reports")
    study.add_argument(
        "--assume-spacing",
        action="store_true",
        help="research: take a picture without pixel spacing as one joint region",
    )
    bundle = argparse.ArgumentParser(add_help=False)
    bundle.add_argument("--bundle", type=Path, help="MONAI Bundle (default: the one of the package)")

    synthesize = commands.add_parser(
        "synthesize", parents=[common, study, bundle], help="radiograph to synthetic MR series", description=RED_LINE
    )
    synthesize.add_argument("output", type=Path, help="folder for knee_right and knee_left")
    synthesize.add_argument("--seed", type=int, default=0)
    synthesize.add_argument("--samples", type=int, default=1, help="volumes drawn; their mean is written")
    synthesize.add_argument("--steps", type=int, help="sampling steps (default: the bundle's)")
    synthesize.add_argument("--slices", type=int, help="slices over the depth range (default: the bundle's)")
    synthesize.add_argument("--guidance", type=float, help="guidance scale (default: the bundle's)")
    synthesize.add_argument("--chunk", type=int, default=25, help="slices computed together; bounds the memory")
    synthesize.add_argument("--device", default="auto", help="auto, cuda, mps or cpu")
    synthesize.add_argument(
        "--label", choices=["corner", "none"], default="corner", help="burn SYNTHETIC into a corner"
    )
    synthesize.add_argument("--nifti", action="store_true", help="also write mri.nii.gz (and std.nii.gz)")
    synthesize.add_argument(
        "--allow-partial", action="store_true", help="exit code 0 also if only some knees were done"
    )
    synthesize.set_defaults(run=_synthesize)

    check = commands.add_parser(
        "check", parents=[common, study], help="what would happen, as JSON; no weights needed", description=RED_LINE
    )
    check.set_defaults(run=_check)

    info = commands.add_parser("info", parents=[common, bundle], help="versions, devices and bundle, as JSON")
    info.set_defaults(run=_info)
    return parser


def _synthesize(options: argparse.Namespace) -> int:
    from monai_xray2mri.output import require_writable
    from monai_xray2mri.pipeline import synthesise_plan
    from monai_xray2mri.study import plan_study, read_study
    from monai_xray2mri.synthesis import Xray2MRI

    predictor = Xray2MRI.from_bundle(options.bundle, options.device)
    chosen = predictor.options(
        seed=options.seed,
        samples=options.samples,
        steps=options.steps,
        slices=options.slices,
        guidance=options.guidance,
        chunk=options.chunk,
    )
    chosen.check(predictor.network.schedule.steps)
    plan = plan_study(
        read_study(options.input),
        side=_side(options),
        features=_features(options),
        region_mm=predictor.network.region_mm,
        assume_spacing=options.assume_spacing,
    )
    require_writable(options.output, tuple(case.side for case in plan.cases))
    results = synthesise_plan(
        plan, predictor, chosen, options.output, label=options.label, nifti=options.nifti, progress=_progress(options)
    )
    for result in results:
        print(result.directory)
    if plan.refusals:
        partial = SomeCasesFailed(
            "study",
            f"{len(results)} of {len(results) + len(plan.refusals)} knees were written",
            " | ".join(str(refusal) for refusal in plan.refusals),
        )
        if not options.allow_partial:
            raise partial
        print(f"xray2mri: {partial}", file=sys.stderr)
    return ExitCode.DONE


def _check(options: argparse.Namespace) -> int:
    from monai_xray2mri.study import plan_study, read_study

    plan = plan_study(
        read_study(options.input),
        side=_side(options),
        features=_features(options),
        assume_spacing=options.assume_spacing,
    )
    knees = [
        {
            "side": case.side.word,
            "side_source": case.radiograph.sides_source,
            "radiograph": case.radiograph.name,
            "spacing_mm": case.radiograph.spacing,
            "spacing_source": case.radiograph.spacing_source,
            "region_method": case.roi.method,
            "features_source": case.grading.source,
            "features": dict(case.grading.grades),
            "remarks": list(dict.fromkeys((*case.remarks, *case.roi.remarks, *case.grading.remarks))),
        }
        for case in plan.cases
    ]
    answer = {"knees": knees, "refused": [str(refusal) for refusal in plan.refusals], "remarks": list(plan.remarks)}
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return ExitCode.SOME_CASES_FAILED if plan.refusals else ExitCode.DONE


def _info(options: argparse.Namespace) -> int:
    import platform
    from importlib import metadata

    import torch

    from monai_xray2mri.bundles import default_bundle
    from monai_xray2mri.dicom.uids import package_version
    from monai_xray2mri.synthesis import Xray2MRI

    predictor = Xray2MRI.from_bundle(options.bundle)
    network = predictor.network
    packages = ("torch", "monai", "diffusers", "pydicom", "highdicom", "SimpleITK", "numpy")
    answer = {
        "monai_xray2mri": package_version(),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in packages},
        "device": str(predictor.device),
        "threads": torch.get_num_threads(),
        "bundle": {
            "path": str(options.bundle or default_bundle()),
            "version": predictor.bundle,
            "weights_sha256": predictor.weights_sha256,
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "slices": network.slices,
            "steps": network.steps,
            "guidance": network.guidance,
            "region_mm": network.region_mm,
        },
    }
    print(json.dumps(answer, indent=2))
    return ExitCode.DONE


def _side(options: argparse.Namespace):  # type: ignore[no-untyped-def]  # the type lives in a module imported late
    from monai_xray2mri.types import Side

    return Side(options.side) if options.side else None


def _features(options: argparse.Namespace):  # type: ignore[no-untyped-def]  # as above
    from monai_xray2mri.grading.files import read_grading_file

    if options.features is None:
        return None
    side = _side(options)
    return read_grading_file(options.features, (side,) if side else ())


def _progress(options: argparse.Namespace) -> bool:
    return not options.quiet and sys.stderr.isatty()


if __name__ == "__main__":
    sys.exit(main())
