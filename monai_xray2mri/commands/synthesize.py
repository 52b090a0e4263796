"""``xray2mri synthesize``: radiograph to synthetic MR series."""

from __future__ import annotations

import argparse
import sys

from monai_xray2mri.commands.options import (
    RED_LINE,
    add_bundle,
    add_study,
    chosen_features,
    chosen_side,
    named_path,
    show_progress,
)
from monai_xray2mri.errors import ExitCode, SomeCasesFailed


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``synthesize``.

    Args:
        commands: where sub-commands are added.
        common: options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser(
        "synthesize", parents=[common], help="radiograph to synthetic MR series", description=RED_LINE
    )
    add_study(parser)
    add_bundle(parser)
    parser.add_argument("output", type=named_path, help="folder for knee_right and knee_left")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=int, default=1, help="volumes drawn; their mean is written")
    parser.add_argument("--steps", type=int, help="sampling steps (default: the bundle's)")
    parser.add_argument("--slices", type=int, help="slices over the depth range (default: the bundle's)")
    parser.add_argument("--guidance", type=float, help="guidance scale, 1 is none (default: the bundle's)")
    parser.add_argument(
        "--feature-guidance", type=float,
        help="guidance scale of the features alone, above 1 shows them more (default: --guidance, else the bundle's)",
    )  # fmt: skip
    parser.add_argument("--eta", type=float, help="noise that steps add, 0 none to 1 ancestral (default: the bundle's)")
    parser.add_argument(
        "--noise-shared", type=float, help="share of the noise common to all slices, 0 to 1 (default: the bundle's)"
    )
    parser.add_argument(
        "--noise-length", type=float, metavar="MM", help="reach of the finest noise along depth (default: the bundle's)"
    )
    parser.add_argument(
        "--noise-aspect", type=float, help="growth of that reach per wavelength in the plane (default: the bundle's)"
    )
    parser.add_argument(
        "--dtype", choices=["auto", "float32", "bfloat16", "float16"], default="auto", help="auto is float32"
    )
    parser.add_argument("--chunk", type=int, default=25, help="slices computed together; bounds the memory")
    parser.add_argument("--device", default="auto", help="auto, cuda, mps or cpu")
    parser.add_argument("--label", choices=["corner", "none"], default="corner", help="burn SYNTHETIC into a corner")
    parser.add_argument("--sample-series", action="store_true", help="also write a series per sample")
    parser.add_argument("--parametric-map", action="store_true", help="also write the uncertainty as a parametric map")
    parser.add_argument("--nifti", action="store_true", help="also write mri.nii.gz (and std.nii.gz)")
    parser.add_argument("--allow-partial", action="store_true", help="exit code 0 also if only some knees were done")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Carry the sub-command out; returns the exit code."""
    from monai_xray2mri.core.system import Outputs
    from monai_xray2mri.runtime.files import require_free
    from monai_xray2mri.systems.knee_xray2mri.plan import plan_study, read_knee_study
    from monai_xray2mri.systems.knee_xray2mri.predictor import Xray2MRI
    from monai_xray2mri.systems.knee_xray2mri.run import synthesize_plan

    predictor = Xray2MRI.from_bundle(options.bundle, options.device)
    chosen = predictor.options(
        seed=options.seed,
        samples=options.samples,
        steps=options.steps,
        slices=options.slices,
        guidance=options.guidance,
        feature_guidance=options.feature_guidance,
        eta=options.eta,
        noise_shared=options.noise_shared,
        noise_length_mm=options.noise_length,
        noise_aspect=options.noise_aspect,
        dtype=options.dtype,
        chunk=options.chunk,
    )
    chosen.check(predictor.network.schedule.steps)
    plan = plan_study(
        read_knee_study(options.input),
        side=chosen_side(options),
        features=chosen_features(options),
        oai_table=options.oai_table,
        region_mm=predictor.network.region_mm,
        assume_spacing=options.assume_spacing,
        force=options.force,
        estimate=options.estimate,
    )
    require_free(options.output, [case.name for case in plan.cases])
    results = synthesize_plan(
        plan,
        predictor,
        chosen,
        options.output,
        Outputs(options.label, options.nifti, options.sample_series, options.parametric_map),
        show_progress(options),
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
