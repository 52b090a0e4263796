"""A stage of training by a bundle's configurations: what ``monai.bundle run`` does, in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.bundle import ConfigParser, ConfigWorkflow

from monai_xray2mri.errors import OutOfMemory, Xray2MRIError


def read_configurations(files: Sequence[Path], overrides: Mapping[str, Any]) -> ConfigParser:
    """Configurations, merged, with those of the overrides whose entries they have."""
    parser = ConfigParser()
    parser.read_config([str(file) for file in files])
    parser.update(known_overrides(parser, overrides))
    return parser


def known_overrides(parser: ConfigParser, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Those overrides whose entries a configuration has: ``name``, or ``name#inner`` of any inner name."""
    return {name: value for name, value in overrides.items() if name.partition("#")[0] in parser}


def run_configured(
    files: Sequence[Path],
    metadata: Path,
    overrides: Mapping[str, Any],
    stage: str,
    after_step: Callable[[Engine], object] | None = None,
) -> tuple[int, int]:
    """Run a stage by its configurations; steps that are done, and steps that are wanted.

    Args:
        files: configurations in order; later ones win.
        metadata: of the bundle.
        overrides: of their entries; those that they do not have are left out.
        stage: what messages call it.
        after_step: called with the trainer after each step.

    Raises:
        OutOfMemory: the device is too small.
        Xray2MRIError: what a part of the configuration refuses.
    """
    known = read_configurations(files, overrides)
    try:
        workflow = ConfigWorkflow(
            config_file=[str(file) for file in files],
            meta_file=str(metadata),
            logging_file=False,
            workflow_type="train",
            **known_overrides(known, overrides),
        )
        workflow.initialize()
        trainer, iterations, accumulate = (
            workflow.parser.get_parsed_content(name) for name in ("train#trainer", "iterations", "accumulate")
        )
        if after_step is not None:
            trainer.add_event_handler(Events.ITERATION_COMPLETED(every=accumulate), after_step)
        workflow.run()
        workflow.finalize()
    except torch.OutOfMemoryError as error:
        raise _out_of_memory(stage) from error
    except Exception as error:
        raise _own_cause(error, stage) from error
    return trainer.state.iteration // int(accumulate), int(iterations)


def _out_of_memory(stage: str) -> OutOfMemory:
    remedy = "Give --accumulate, or checkpoint_activations in a --config file; --dry-run tells what a step needs."
    return OutOfMemory(f"stage {stage}", "must fit the device's memory", "", remedy)


def _own_cause(error: Exception, stage: str) -> Exception:
    """MONAI wraps what a configuration's parts raise; an error of this package is what the user should hear."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, Xray2MRIError):
            return cause
        if isinstance(cause, torch.OutOfMemoryError):
            return _out_of_memory(stage)
        cause = cause.__cause__ or cause.__context__
    return error
