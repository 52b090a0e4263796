"""``xray2mri simulate``: a release of simulated knees with known truth, in the layout of OAI."""

from __future__ import annotations

import argparse
import sys

from monai_xray2mri.commands.options import named_path, show_progress
from monai_xray2mri.errors import ExitCode

_DESCRIPTION = (
    "Simulated knees in the shape of an OAI release: bilateral films, COR_T1_3D_FLASH_RIGHT series, tables of "
    "gradings, and the truth beside them. Nobody in it is real. The same command again finishes what was interrupted."
)


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``simulate``.

    Args:
        commands: the sub-parsers of ``xray2mri``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser(
        "simulate", parents=[common], help="an OAI-shaped release of simulated knees", description=_DESCRIPTION
    )
    parser.add_argument(
        "--knees", type=int, required=True, help="participants; each has both knees on the film and the right in MR"
    )
    parser.add_argument("--output", type=named_path, required=True, help="folder of the release")
    parser.add_argument(
        "--split",
        help="seed range to begin at the start of: training (default), validation, calibration, test, "
        "lesion-enriched or shifted",
    )
    parser.add_argument("--seed", type=int, help="seed of the first participant, absolute; the others follow")
    parser.add_argument(
        "--visibility", type=float, default=0.5,
        help="0 to 1: how far cysts, chondrocalcinosis and attrition show in the radiographs (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--mr-matrix", type=int, default=256, choices=[256, 512],
        help="pixels per row; 512 is OAI's, with every simulated pixel four times (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--films",
        choices=["varied", "plain"],
        default="varied",
        help="films as departments make them (pixel size, polarity, markers, faults, metal), or all alike at 0.3 mm "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--oddities",
        choices=["none", "oai"],
        default="none",
        help="put the real release's oddities into tables and headers",
    )
    parser.add_argument(
        "--structural-missingness", action="store_true", help="leave out the readings that OAI did not make"
    )
    parser.add_argument(
        "--prevalence",
        choices=["oai", "balanced", "independent"],
        help="how frequent grades are (default: that of the seed range)",
    )
    parser.add_argument("--workers", type=int, default=1, help="processes, one thread each (default: %(default)s)")
    parser.add_argument(
        "--device", default="cpu", help="where knees are computed: auto, cuda, mps or cpu (default: %(default)s)"
    )
    parser.add_argument(
        "--verify", action="store_true", help="read the files of earlier runs and compare their SHA-256"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the sub-command; print the folder of the release on stdout.

    Raises:
        Xray2MRIError: see :func:`monai_xray2mri.simulation.knee.release.run.simulate_release`.
    """
    from monai_xray2mri.runtime.devices import choose_device
    from monai_xray2mri.simulation.knee.release.plan import ReleasePlan
    from monai_xray2mri.simulation.knee.release.run import simulate_release
    from monai_xray2mri.simulation.knee.release.settings import ReleaseSettings, first_seed

    def announce(plan: ReleasePlan) -> None:
        if not options.quiet:
            print(f"xray2mri: {plan}", file=sys.stderr)

    settings = ReleaseSettings(
        seed=first_seed(options.split, options.seed),
        knees=options.knees,
        visibility=options.visibility,
        mr_matrix=options.mr_matrix,
        films=options.films,
        oddities=options.oddities,
        structural_missingness=options.structural_missingness,
        prevalence=options.prevalence,
        device=str(choose_device(options.device)),
    )
    simulate_release(
        options.output,
        settings,
        workers=options.workers,
        thorough=options.verify,
        progress=show_progress(options),
        announce=announce,
    )
    print(options.output)
    return ExitCode.DONE
