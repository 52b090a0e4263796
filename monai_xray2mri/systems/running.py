"""From a source to results, for every system: what command line, app and Python share."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monai_xray2mri.core.options import Option, require_known
from monai_xray2mri.core.system import Outputs, Plan, Predictor, Progress, Sampling, System, Written
from monai_xray2mri.errors import SomeCasesFailed
from monai_xray2mri.runtime.files import require_free


@contextmanager
def progress_of(work: int, unit: str, title: str, wanted: bool | Progress) -> Iterator[Progress]:
    """The function that a predictor tells of its work.

    Args:
        work: units of work in all.
        unit: word for one.
        title: of the case.
        wanted: True shows a bar on stderr with the time left, if that is a terminal; a function is told itself.
    """
    if callable(wanted):
        yield wanted
        return
    from tqdm import tqdm  # takes longer to import than a usage error should take

    with tqdm(total=work, desc=title, unit=unit, disable=not (wanted and sys.stderr.isatty())) as bar:
        yield bar.update


def split_options(
    options: Mapping[str, Any], request_options: Sequence[Option], sampling_options: Sequence[Option]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was chosen about the source, and about how results are drawn.

    Raises:
        UsageError: an option is unknown.
    """
    require_known(options, request_options, sampling_options)
    about_source = {option.name for option in request_options}
    asked = {name: value for name, value in options.items() if name in about_source}
    return asked, {name: value for name, value in options.items() if name not in about_source}


def write_results(
    system: System,
    predictor: Predictor,
    plan: Plan[Any],
    sampling: Sampling,
    folder: Path,
    outputs: Outputs,
    progress: bool = False,
) -> Iterator[Written]:
    """Make and write the result of every case of a plan, one after the other; yields each once it is written.

    Args:
        system: of the plan.
        predictor: the loaded bundle.
        plan: cases that have passed all checks.
        sampling: how results are drawn.
        folder: for one folder per case.
        outputs: what is written beside the results.
        progress: whether to show a bar per case.

    Raises:
        UsageError: the folder cannot be written or holds a result already; nothing was computed then.
    """
    require_free(folder, (case.name for case in plan.cases))
    for case in plan.cases:
        with progress_of(predictor.work(sampling), system.work_unit, case.title, progress) as update:
            result = predictor.predict(case, sampling, update)
        yield result.save(folder, outputs)


def partial_failure(system: System, plan: Plan[Any]) -> SomeCasesFailed | None:
    """What to say of a plan whose cases were written although others were refused; None if none was."""
    if not plan.refusals:
        return None
    written, total = len(plan.cases), len(plan.cases) + len(plan.refusals)
    refused = " | ".join(str(refusal) for refusal in plan.refusals)
    return SomeCasesFailed("study", f"{written} of {total} {system.cases_word} were written", refused)
