"""``xray2mri prepare``: makes training data of a release of OAI, of volumes, or of photographs and films of feet."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from monai_xray2mri.commands.options import named_path, show_progress
from monai_xray2mri.errors import ExitCode, SomeCasesFailed, UsageError

if TYPE_CHECKING:
    from monai_xray2mri.knee.oai.report import PrepareReport

_DESCRIPTION = (
    "Joins bilateral films, COR_T1_3D_FLASH_RIGHT series and readings of an OAI release and writes them as training "
    "data, with a report of what was used, left out and why. The same command run again finishes what was interrupted. "
    "Exit code 8 if something was left out because it is broken, 3 if nothing is usable. "
    "With --layout volumes a release is a folder of NIfTI, NRRD or MetaImage files or DICOM series, whose volumes are "
    "brought into a cube. With --layout pairs it is a folder for each foot, with one photograph original*.png and one "
    "radiograph xray*.png, which are cut out, registered and brought into one frame where that is not done."
)


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``prepare``.

    Args:
        commands: the sub-parsers of ``xray2mri``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser(
        "prepare", parents=[common], help="a release to training data", description=_DESCRIPTION
    )
    parser.add_argument(
        "--layout",
        choices=["oai", "volumes", "pairs"],
        default="oai",
        help="what the release is (default: %(default)s)",
    )
    parser.add_argument("--release", type=named_path, required=True, help="folder with images and tables, at any depth")
    parser.add_argument("--output", type=named_path, required=True, help="folder to write into, outside of the release")
    parser.add_argument(
        "--tables", type=named_path, action="append", default=[], help="folder of tables elsewhere; may be repeated"
    )
    parser.add_argument("--visits", default="V00", help="visits by prefix or folder, e.g. V00,48m (default: V00)")
    parser.add_argument(
        "--boxes", choices=["auto", "truth", "detector"], default="auto",
        help="the knee on the film: from truth files, found, or auto: truth where there is one (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--missing", choices=["unknown", "zero"], default="unknown",
        help="features that were not read in participants without osteoarthritis: unknown, or grade 0 (default: "
        "%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--ungraded", choices=["skip", "keep"], default="skip",
        help="knees without a reading: leave them out, or keep them with unknown features (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--protocol", choices=["000", "001"], default="000",
        help="split by participant: 7:1:2 as in Wang 2024a, or 7:3 as in Wang 2024b (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--split-seed", type=int, default=0, help="another number makes another division")
    parser.add_argument("--workers", type=int, default=1, help="processes, about 1 GB each (default: %(default)s)")
    parser.add_argument("--allow-partial", action="store_true", help="exit code 0 although something is broken")
    volumes = parser.add_argument_group("volumes")
    volumes.add_argument(
        "--preset",
        default="any",
        help="any, brats (FLAIR), ixi (T1), mni152, fastmri (HDF5), knee_labels (default: any)",
    )
    volumes.add_argument("--side", type=float, metavar="MM", help="of the cube (default: the preset's)")
    volumes.add_argument("--size", type=int, default=96, help="voxels along it (default: %(default)s)")
    volumes.add_argument(
        "--split", choices=["training", "validation", "calibration", "test"],
        help="that all volumes belong to: test for foreign data (default: 8:1:1 by patient)",
    )  # fmt: skip
    pairs = parser.add_argument_group("pairs")
    pairs.add_argument("--force", action="store_true", help="take photographs that a check doubts; it is recorded")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the sub-command; print the path of ``dataset.json`` on stdout.

    Raises:
        Xray2MRIError: see :func:`monai_xray2mri.knee.oai.prepare.prepare_release`. ``SomeCasesFailed`` is raised after
            all files are written.
    """
    return {"oai": _oai, "volumes": _volumes, "pairs": _pairs}[options.layout](options)


def _volumes(options: argparse.Namespace) -> int:
    from monai_xray2mri.systems.mri_xdiffusion.data.prepare import VolumeOptions, prepare_volumes

    if not (options.side is None or options.side > 0) or options.size < 16 or options.size % 4:
        found = f"side {options.side}, size {options.size}"
        raise UsageError("options side and size", "must be above 0, and a multiple of 4 from 16 on", found)
    chosen = VolumeOptions(options.preset, options.size, options.side, options.split_seed, options.split)
    report = prepare_volumes(
        options.release, options.output, chosen, workers=options.workers, progress=show_progress(options)
    )
    print(options.output / "index.json")
    if not options.quiet:
        splits = ", ".join(f"{count} {split}" for split, count in sorted(report.counts.items()))
        left_out = f"left out: {len(report.skipped)} that cannot be used, {report.unwanted} of other kinds"
        print(f"xray2mri: {len(report.splits)} volumes ({splits}); {left_out}", file=sys.stderr)
    if report.skipped and not options.allow_partial:
        raise SomeCasesFailed(
            "release", f"{len(report.splits)} volumes were prepared", f"{len(report.skipped)} that cannot be used",
            "report.txt in the output names each.",
        )  # fmt: skip
    return ExitCode.DONE


def _pairs(options: argparse.Namespace) -> int:
    from monai_xray2mri.systems.foot_xray_sccdm.data.division import SPLITS
    from monai_xray2mri.systems.foot_xray_sccdm.data.prepare import prepare_pairs

    report = prepare_pairs(
        options.release, options.output, split_seed=options.split_seed, force=options.force,
        workers=options.workers, progress=show_progress(options),
    )  # fmt: skip
    print(options.output / "report.json")
    if not options.quiet:
        splits = ", ".join(f"{report.counts[split]} {split}" for split in SPLITS)
        print(f"xray2mri: {len(report.splits)} pairs ({splits}); left out: {len(report.skipped)}", file=sys.stderr)
    if report.skipped and not options.allow_partial:
        raise SomeCasesFailed(
            "release", f"{len(report.splits)} pairs were prepared", f"{len(report.skipped)} that cannot be used",
            "report.txt in the output names each.",
        )  # fmt: skip
    return ExitCode.DONE


def _oai(options: argparse.Namespace) -> int:
    from monai_xray2mri.knee.oai.prepare import PrepareOptions, prepare_release

    chosen = PrepareOptions(
        tables=tuple(options.tables),
        visits=_visits(options.visits),
        boxes=options.boxes,
        missing=options.missing,
        ungraded=options.ungraded,
        protocol=options.protocol,
        split_seed=options.split_seed,
        workers=options.workers,
        progress=show_progress(options),
    )
    report = prepare_release(options.release, options.output, chosen)
    print(options.output / "dataset.json")
    if not options.quiet:
        print(f"xray2mri: {_summary(report)}", file=sys.stderr)
    if report.broken and not options.allow_partial:
        raise SomeCasesFailed(
            "release", f"{len(report.used)} knees were prepared", f"{len(report.broken)} things that are broken",
            "report.txt in the output names each.",
        )  # fmt: skip
    return ExitCode.DONE


def _visits(text: str) -> tuple[str, ...]:
    from monai_xray2mri.knee.oai.visits import MONTHS, known_visit

    given = [part for part in text.split(",") if part.strip()]
    visits = [known_visit(part) for part in given]
    if not visits or None in visits:
        known = ", ".join(f"{visit} ({months})" for visit, months in MONTHS.items())
        raise UsageError("option visits", f"must be of {known}", text)
    return tuple(dict.fromkeys(visit for visit in visits if visit))


def _summary(report: PrepareReport) -> str:
    splits = ", ".join(f"{count} {split}" for split, count in sorted(report.splits.items()))
    out_of_scope = len(report.skipped) - len(report.broken)
    return f"{len(report.used)} knees ({splits}); left out: {len(report.broken)} broken, {out_of_scope} out of scope"
