"""``xray2mri train --recipe``: all stages of a training in order, from wherever the folder of its state stands."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from monai_xray2mri.commands.options import budget_minutes
from monai_xray2mri.errors import ExitCode, UsageError

USED: Final = frozenset({"recipe", "bundle", "output", "budget", "device", "quiet", "resume", "run", "unset"})
"""Options that go with a recipe; the others it decides itself."""


def run_by_recipe(options: argparse.Namespace) -> int:
    """Run all stages of ``--recipe``; print the folder of the state on stdout.

    Raises:
        UsageError: options that do not go with a recipe, no recipe, or a folder that another one began.
        Xray2MRIError: what a stage refuses.
    """
    from monai_xray2mri.runtime.devices import choose_device
    from monai_xray2mri.systems.registry import default_bundle
    from monai_xray2mri.training.recipe import Reporter, TrainingRecipe, run_recipe

    others = [name for name, value in options.unset.items() if name not in USED and getattr(options, name) != value]
    if others:
        name = others[0].replace("_", "-")
        raise UsageError(f"option {name}", "must not be given with --recipe", "given", "Change the recipe instead.")
    if options.output is None:
        raise UsageError("option output", "must name the folder of the recipe's state", "nothing")
    bundle, shared, folder = options.bundle or default_bundle(), default_bundle(), options.output.resolve()
    given = {
        "output_dir": str(folder),
        "bundle_root": str(bundle.resolve()),
        "shared_root": str(shared.resolve()),
        "bundles": str(shared.resolve().parent),
        "device": str(choose_device(options.device)),
    }
    recipe = TrainingRecipe(_file(options.recipe, bundle, shared), given)
    minutes = None if options.budget is None else budget_minutes(options.budget)
    with _without_steps():
        run_recipe(recipe, folder, Reporter(folder, quiet=options.quiet), minutes)
    print(options.output)
    return ExitCode.DONE


def _file(name: str, bundle: Path, shared: Path) -> Path:
    beside = [folder / "configs" / f"{name}.json" for folder in (bundle, shared)]
    return next((file for file in beside if file.is_file()), Path(name))


@contextmanager
def _without_steps() -> Iterator[None]:
    """Losses go to the stages' logs; on stderr the recipe speaks."""
    logger = logging.getLogger("monai_xray2mri.training")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)
