"""From a source to results, for every system: what command line, app and Python share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from monai_xray2mri.core.options import require_known
from monai_xray2mri.core.system import (
    Outputs,
    Plan,
    Predictor,
    Progress,
    Request,
    Result,
    Sampling,
    System,
    Written,
)
from monai_xray2mri.errors import SomeCasesFailed
from monai_xray2mri.runtime.files import require_free


@contextmanager
def progress_bar(
    system: System, predictor: Predictor, sampling: Sampling, title: str, wanted: bool
) -> Iterator[Progress]:
    """A bar on stderr with the time left, if it is wanted and stderr is a terminal; yields the function to call."""
    hidden = not (wanted and sys.stderr.isatty())
    with tqdm(total=predictor.work(sampling), desc=title, unit=system.work_unit, disable=hidden) as bar:
        yield bar.update


def only_result(
    system: System,
    predictor: Predictor,
    plan: Callable[[Request], Plan[Any]],
    options: Mapping[str, Any],
    progress: bool | Progress = False,
) -> Result:
    """The result of a source that holds one case.

    Args:
        system: of the predictor.
        predictor: the loaded bundle.
        plan: the checks of the source.
        options: of the system: ``request_options`` and ``sampling_options``.
        progress: True shows a bar where stderr is a terminal; a function is called with the units of work done since.

    Raises:
        UsageError: an option is unknown or out of range.
        InputRefused: the source cannot be used, or holds several cases.
    """
    require_known(options, system.request_options, system.sampling_options)
    asked = {option.name for option in system.request_options}
    sampling = predictor.resolve(**{name: value for name, value in options.items() if name not in asked})
    request = system.request(**{name: value for name, value in options.items() if name in asked})
    case = plan(request).only()
    if callable(progress):
        return predictor.predict(case, sampling, progress)
    with progress_bar(system, predictor, sampling, case.title, progress) as update:
        return predictor.predict(case, sampling, update)


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
        with progress_bar(system, predictor, sampling, case.title, progress) as update:
            result = predictor.predict(case, sampling, update)
        yield result.save(folder, outputs)


def partial_failure(system: System, plan: Plan[Any]) -> SomeCasesFailed | None:
    """What to say of a plan whose cases were written although others were refused; None if none was."""
    if not plan.refusals:
        return None
    written, total = len(plan.cases), len(plan.cases) + len(plan.refusals)
    refused = " | ".join(str(refusal) for refusal in plan.refusals)
    return SomeCasesFailed("study", f"{written} of {total} {system.cases_word} were written", refused)
