"""What an evaluation will cost, in sentences, before it starts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from monai_xray2mri.evaluation.evaluation import Evaluation


def cost_lines(run: Evaluation[Any, Any]) -> Iterator[str]:
    """A line for each study, and one of what is left to do; nothing where no method has anything left to do.

    One unit of work is measured for it, with the bundle's method.
    """
    units, simulations = run.cost()
    if not units:
        return
    words = run.suite.words
    for task in run.tasks:
        results = task.study.work(run.setting) / words.units_per_result
        number = " + ".join(f"{len(cohort.names)} {split}" for split, cohort in task.cohorts.items())
        yield f"{task.study.name}: {number} {words.cases}, {results:.1f} {words.results} each"
    seconds = run.suite.seconds(run.setting)
    work = f"{units / words.units_per_result:.0f} {words.results}"
    if words.units_per_result > 1:
        work += f" of {words.units_per_result} {words.units}"
    timing = f" at {seconds:.2f} s a {words.unit}" if seconds else ""
    minutes = (units * seconds + simulations * run.suite.simulation_seconds) / 60
    yield (f"{work}{timing} and {simulations} simulated {words.cases} are left to do: about {minutes:.0f} minutes")
