"""From a plan to written results, knee by knee: what the command line and the MONAI Deploy app share."""

from __future__ import annotations

import time
from pathlib import Path

from tqdm import tqdm

from monai_xray2mri.core.system import Plan
from monai_xray2mri.dicom.burn_in import Label
from monai_xray2mri.systems.knee_xray2mri.output import KneeResult, write_result
from monai_xray2mri.systems.knee_xray2mri.plan import KneeCase
from monai_xray2mri.systems.knee_xray2mri.predictor import Options, Xray2MRI
from monai_xray2mri.systems.knee_xray2mri.records import Synthesis


def synthesise_case(
    case: KneeCase, predictor: Xray2MRI, options: Options, progress: bool = False
) -> tuple[Synthesis, dict[str, object]]:
    """Synthesise one knee, with a progress bar if asked.

    Returns:
        What was generated, and the record of the run for ``report.json`` (device and seconds).
    """
    total = (options.slices or predictor.network.slices) * options.samples
    start = time.monotonic()
    with tqdm(total=total, desc=f"{case.side.word} knee", unit="slice", disable=not progress) as bar:
        synthesis = predictor.synthesise(case, options, bar.update)
    return synthesis, {"device": predictor.device.type, "seconds": round(time.monotonic() - start, 2)}


def synthesise_plan(
    plan: Plan[KneeCase],
    predictor: Xray2MRI,
    options: Options,
    output: Path,
    *,
    label: Label = "corner",
    nifti: bool = False,
    samples: bool = False,
    parametric_map: bool = False,
    progress: bool = False,
) -> list[KneeResult]:
    """Synthesise and write every knee of a plan, one after the other.

    Args:
        plan: knees that have passed all checks.
        predictor: the loaded model.
        options: seed, steps and so on.
        output: folder for ``knee_right`` and ``knee_left``.
        label: see :func:`monai_xray2mri.systems.knee_xray2mri.output.write_result`.
        nifti: also write NIfTI files.
        samples: also write a series per sample.
        parametric_map: also write the uncertainty as a Parametric Map.
        progress: show a progress bar on stderr.

    Returns:
        Where each result lies.
    """
    results = []
    for case in plan.cases:
        synthesis, run = synthesise_case(case, predictor, options, progress)
        written = write_result(
            output, case, synthesis, label=label, nifti=nifti, samples=samples, parametric_map=parametric_map, run=run
        )
        results.append(written)
    return results
