"""From a plan to written results, knee by knee: what the command line and the MONAI Deploy app share."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from monai_xray2mri.core.system import Outputs, Plan
from monai_xray2mri.systems.knee_xray2mri.output import ResultFolder
from monai_xray2mri.systems.knee_xray2mri.plan import KneeCase
from monai_xray2mri.systems.knee_xray2mri.predictor import Options, Xray2MRI
from monai_xray2mri.systems.knee_xray2mri.records import Synthesis


def synthesize_case(case: KneeCase, predictor: Xray2MRI, options: Options, progress: bool = False) -> Synthesis:
    """Synthesize one knee, with a progress bar if asked."""
    total = (options.slices or predictor.network.slices) * options.samples
    with tqdm(total=total, desc=case.title, unit="slice", disable=not progress) as bar:
        return predictor.synthesize(case, options, bar.update)


def synthesize_plan(
    plan: Plan[KneeCase],
    predictor: Xray2MRI,
    options: Options,
    output: Path,
    outputs: Outputs | None = None,
    progress: bool = False,
) -> list[ResultFolder]:
    """Synthesize and write every knee of a plan, one after the other.

    Args:
        plan: knees that have passed all checks.
        predictor: the loaded model.
        options: seed, steps and so on.
        output: folder for ``knee_right`` and ``knee_left``.
        outputs: what is written beside each result; None: nothing more.
        progress: show a progress bar on stderr.

    Returns:
        Where each result lies.
    """
    return [synthesize_case(case, predictor, options, progress).save(output, outputs) for case in plan.cases]
