"""Measures of the simulator for ``xray2mri measure``: its anatomy, its images, and the effects of grades."""

from __future__ import annotations

import argparse
import json
from typing import Final

from monai_xray2mri.commands.options import named_path, show_progress
from monai_xray2mri.errors import ExitCode

SEED_RANGES: Final = ("calibration", "lesion-enriched", "shifted", "test", "training", "validation")
"""Choices of ``--split``: ranges of simulated knees."""
REDRAWN: Final = ("noise and bias", "texture", "field of view", "pose", "all")
"""Choices of ``ceilings --kinds``."""


def add_measures(names: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the measures to the sub-command ``measure``.

    Args:
        names: the sub-parsers of ``measure``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    anatomy = names.add_parser("anatomy", parents=[common], help="simulated anatomy against a real knee's label map")
    anatomy.add_argument(
        "--labels", type=named_path, required=True, help="label map of a right knee, labels of the template"
    )
    anatomy.add_argument("--knees", type=int, default=10, help="random knees (default: %(default)s)")
    anatomy.add_argument("--template", type=named_path, help="what the fitted knee varies (default: the shipped one)")
    anatomy.add_argument("--steps", type=int, default=3, help="steps that the fit takes (default: %(default)s)")
    anatomy.add_argument("--json", action="store_true", help="all numbers instead of the table")
    anatomy.set_defaults(run=measure_anatomy)

    realism = names.add_parser("realism", parents=[common], help="how well classifiers tell simulated radiographs")
    realism.add_argument("--real", type=named_path, required=True, help="folder of real crops <participant><R|L>.png")
    realism.add_argument("--knees", type=int, default=142, help="simulated validation knees (default: %(default)s)")
    realism.add_argument("--linear-only", action="store_true", help="without the networks")
    realism.add_argument("--sheet", type=named_path, help="PNG of real and simulated regions, row by row")
    realism.set_defaults(run=measure_realism)

    texture = names.add_parser(
        "texture", parents=[common], help="marrow and outlines of MR slices beside a real series"
    )
    texture.add_argument("--real", type=named_path, required=True, help="folder of a coronal T1 series")
    texture.add_argument("--marrow", type=named_path, required=True, help="CSV of slice, row, column of its marrow")
    texture.add_argument("--split", choices=SEED_RANGES, default="validation", help="(default: %(default)s)")
    texture.add_argument("--knees", type=int, default=6, help="(default: %(default)s)")
    texture.set_defaults(run=measure_texture)

    visibility = names.add_parser("visibility", parents=[common], help="how well radiographs show the hidden features")
    visibility.add_argument("--knees", type=int, default=400, help="of the lesion-enriched range (default: 400)")
    visibility.add_argument("--visibility", type=float, nargs="+", default=[0.0, 0.5, 1.0], help="(default: 0 0.5 1)")
    visibility.add_argument(
        "--patients", type=int, default=4000, help="knees as OAI has them, for what grades alone tell (default: 4000)"
    )
    visibility.set_defaults(run=measure_visibility)

    features = names.add_parser("features", parents=[common], help="what each grade changes in film and MR")
    features.add_argument("--knees", type=int, default=4, help="knees of the test range (default: %(default)s)")
    features.add_argument("--output", type=named_path, help="Markdown file (default: standard output)")
    features.set_defaults(run=measure_features)

    sheet = names.add_parser("sheet", parents=[common], help="a picture of simulated knees and their truth")
    sheet.add_argument("--output", type=named_path, required=True, help="JPEG or PNG to write")
    sheet.add_argument("--knees", type=int, default=10, help="rows (default: %(default)s)")
    sheet.add_argument("--seed", type=int, help="seed of the first patient (default: first of the test range)")
    sheet.set_defaults(run=draw_sheet)

    ceilings = names.add_parser("ceilings", parents=[common], help="what a sample of a perfect method would reach")
    ceilings.add_argument("--split", choices=SEED_RANGES, default="validation", help="(default: %(default)s)")
    ceilings.add_argument("--knees", type=int, default=6, help="(default: %(default)s)")
    ceilings.add_argument("--kinds", nargs="+", choices=REDRAWN, default=list(REDRAWN), help="what is drawn again")
    ceilings.set_defaults(run=measure_ceilings)


def measure_anatomy(options: argparse.Namespace) -> int:
    """Print a comparison of the simulated anatomy with a real one, as a Markdown table or JSON.

    Raises:
        Xray2MRIError: a file is not a label map or template.
    """
    from monai_xray2mri.knee.realism.anatomy import compare, table, to_json
    from monai_xray2mri.simulation.knee.anatomy.template import Template, read_label_map

    template = Template.load(options.template) if options.template else None
    comparison = compare(*read_label_map(options.labels), options.knees, template, options.steps)
    print(to_json(comparison) if options.json else table(comparison), end="")
    return ExitCode.DONE


def measure_realism(options: argparse.Namespace) -> int:
    """Print the scores of the classifiers of real and simulated radiographs as JSON.

    Raises:
        Xray2MRIError: there are no crops or too few, or the sheet cannot be written.
    """
    from monai_xray2mri.knee.realism.radiographs import report

    _print_json(report(options.real, options.knees, networks=not options.linear_only, sheet=options.sheet))
    return ExitCode.DONE


def measure_texture(options: argparse.Namespace) -> int:
    """Print the look of the real series and of simulated knees as JSON.

    Raises:
        Xray2MRIError: no series, or a table that does not fit it.
    """
    from monai_xray2mri.knee.realism.texture import report

    _print_json(report(options.real, options.marrow, options.split, options.knees))
    return ExitCode.DONE


def measure_visibility(options: argparse.Namespace) -> int:
    """Print the scores of the classifiers of hidden features as JSON."""
    from monai_xray2mri.knee.realism.visibility import report

    _print_json(report(options.knees, options.visibility, options.patients))
    return ExitCode.DONE


def measure_features(options: argparse.Namespace) -> int:
    """Print the table of feature effects, or write it to ``--output`` if given.

    Raises:
        UsageError: the file cannot be written.
    """
    from monai_xray2mri.knee.realism.feature_table import report
    from monai_xray2mri.runtime.files import write_whole

    text = report(options.knees)
    if options.output:
        write_whole(options.output, text.encode())
    else:
        print(text, end="")
    return ExitCode.DONE


def draw_sheet(options: argparse.Namespace) -> int:
    """Write the sheet of simulated knees; print its path on stdout."""
    from monai_xray2mri.knee.realism import sheet
    from monai_xray2mri.simulation.knee.people.seeds import TEST

    first = TEST.start if options.seed is None else options.seed
    picture = sheet.draw_sheet(range(first, first + options.knees), show_progress(options))
    picture.save(options.output, quality=88)
    print(options.output)
    return ExitCode.DONE


def measure_ceilings(options: argparse.Namespace) -> int:
    """Print the ceilings of the evaluation's scores as JSON.

    Raises:
        UsageError: scikit-image is not installed.
    """
    from monai_xray2mri.systems.knee_xray2mri.evaluation.ceilings import report

    _print_json(report(options.split, options.knees, options.kinds, show_progress(options)))
    return ExitCode.DONE


def _print_json(record: object) -> None:
    print(json.dumps(record, indent=2))
