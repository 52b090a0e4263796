"""The stages of a recipe, one after the other, from wherever they stand."""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch

from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.files import lock_folder
from monai_xray2mri.training.recipe.reading import TrainingRecipe
from monai_xray2mri.training.recipe.reporting import Reporter
from monai_xray2mri.training.recipe.stage import Turn
from monai_xray2mri.training.recipe.state import RecipeState


def run_recipe(
    recipe: TrainingRecipe, folder: Path, reporter: Reporter | None = None, minutes: float | None = None
) -> bool:
    """Work on the first stage that is not complete, then on the next; whether all are complete.

    Whatever ended an earlier call, a kill included, this one goes on where the disk says. What was deleted is made
    again by its stage before a later one goes on.

    Args:
        recipe: the stages.
        folder: of the state; made if missing.
        reporter: tells how far it is; None makes one for stderr.
        minutes: how long at most.

    Raises:
        UsageError: the folder is in use, cannot be written, or holds the state of another recipe; or a stage that is
            not complete says that nothing is left to do.
        Xray2MRIError: what a stage refuses.
    """
    end = None if minutes is None else time.monotonic() + 60 * minutes
    _make(folder)
    with lock_folder(folder):
        reporter = reporter or Reporter(folder)
        state = RecipeState(folder)
        state.check(recipe)
        _use_machine(recipe)
        _overview(recipe, reporter)
        for number, name in enumerate(recipe, start=1):
            state.begin(recipe, name)
            if not _complete(recipe, name, f"stage {number} of {len(recipe)}", Turn(end, reporter.heard), reporter):
                return False
    return True


def _complete(recipe: TrainingRecipe, name: str, where: str, turn: Turn, reporter: Reporter) -> bool:
    stage = recipe.stage(name)
    before = stage.progress()
    if before.complete:
        return True
    if turn.over():
        return False
    reporter.begin(name, where, before)
    stage.work(turn)
    after = stage.progress()
    reporter.end(after)
    if not after.complete and not turn.over():
        raise UsageError(f"stage {name}", "must work until it is complete", str(after))
    return after.complete


def _overview(recipe: TrainingRecipe, reporter: Reporter) -> None:
    width = max(map(len, recipe))
    for name in recipe:
        reporter.say(f"{name:{width}}  {recipe.stage(name).progress()}")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"state folder {folder.name}", "must be a folder that can be made", type(error).__name__
        ) from error


def _use_machine(recipe: TrainingRecipe) -> None:
    """Few threads, and other programs first: a training lasts for days."""
    torch.set_num_threads(recipe.threads)
    if recipe.niceness is not None and hasattr(os, "nice"):
        os.nice(max(recipe.niceness - os.nice(0), 0))
