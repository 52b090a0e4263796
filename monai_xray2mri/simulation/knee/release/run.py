"""Makes a release in one or several processes; an interrupted run can be continued."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from monai_xray2mri.errors import OutOfMemory, SomeCasesFailed, Xray2MRIError, describe_unexpected
from monai_xray2mri.runtime.files import lock_folder
from monai_xray2mri.runtime.workers import Runner, Workers, with_progress
from monai_xray2mri.simulation.knee.people.participants import Participant, draw_participant
from monai_xray2mri.simulation.knee.release.plan import ReleasePlan, claim, make_folder, plan_release, save_settings
from monai_xray2mri.simulation.knee.release.settings import ReleaseSettings
from monai_xray2mri.simulation.knee.release.tables import write_tables
from monai_xray2mri.simulation.knee.release.writer import remove_drafts, write_participant


@dataclass(frozen=True)
class ReleaseSummary:
    """What a run did.

    Attributes:
        directory: folder of the release.
        simulated: number of participants that this run made.
        complete: number of participants that the release holds now.
    """

    directory: Path
    simulated: int
    complete: int


def simulate_release(
    directory: Path,
    settings: ReleaseSettings,
    *,
    workers: int = 1,
    thorough: bool = False,
    progress: bool = False,
    announce: Callable[[ReleasePlan], None] | None = None,
) -> ReleaseSummary:
    """Simulate a release, or the rest of one. Equal settings give equal bytes, also after an interruption.

    Args:
        directory: folder of the release: new, empty, or of an earlier run with equal settings and at most as many
            knees.
        settings: settings of the release.
        workers: number of processes; each computes on one thread.
        thorough: also compare the SHA-256 of every file of earlier runs, not only its size.
        progress: show a progress bar on stderr.
        announce: called with the plan before the work begins.

    Returns:
        What was done.

    Raises:
        UsageError: settings, folder or disk space do not allow it. Nothing is simulated then.
        OutOfMemory: a worker was killed, usually because memory ran out.
        SomeCasesFailed: some knees could not be simulated. The release holds the others, and the tables list those.
    """
    pool = Workers(workers)
    directory = make_folder(directory)
    with lock_folder(directory):
        claim(directory, settings)
        remove_drafts(directory)
        participants = tuple(draw_participant(seed, settings.prevalence) for seed in settings.seeds)
        plan = plan_release(directory, settings, participants, thorough=thorough)
        if announce is not None:
            announce(plan)
        save_settings(directory, settings, complete=False)
        try:
            failed = _simulate(directory, settings, plan, with_progress(pool, "knee", progress, plan.complete))
        except BaseException:  # also KeyboardInterrupt
            remove_drafts(directory)
            raise
        present = tuple(one for one in participants if one.seed not in failed)
        write_tables(directory, present, settings)
        save_settings(directory, settings, complete=not failed, failed=tuple(failed))
    if failed:
        raise SomeCasesFailed(
            f"release {directory.name}",
            f"{len(present)} of {len(participants)} knees were simulated",
            "; ".join(f"seed {seed}: {reason}" for seed, reason in failed.items()),
            "Run the same command again to try the others.",
        )
    return ReleaseSummary(directory, len(plan.remaining), len(present))


def _simulate(directory: Path, settings: ReleaseSettings, plan: ReleasePlan, run: Runner) -> dict[int, str]:
    """Make the missing participants; return the seeds that failed, with the reasons."""
    with closing(run(partial(_attempt, directory, settings), plan.remaining)) as reasons:
        outcomes = zip(plan.remaining, reasons, strict=True)
        return dict(sorted((one.seed, reason) for one, reason in outcomes if reason is not None))


def _attempt(directory: Path, settings: ReleaseSettings, participant: Participant) -> str | None:
    """Make one participant; return the reason if only this participant failed, else None.

    Raises:
        Xray2MRIError: an error that ends the run: one of the package's own, or lack of memory.
    """
    try:
        write_participant(directory, participant, settings)
    except Xray2MRIError:
        raise
    except MemoryError as error:
        raise OutOfMemory("the simulator", "ran out of memory", "", "Use fewer --workers, and run again.") from error
    except Exception as error:
        return describe_unexpected(error)
    return None
