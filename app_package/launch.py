"""Starts the app: checks before any compute, exit codes that say what happened, logs without patient data."""

from __future__ import annotations

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from monai_xray2mri.deploy.command import raise_stack_limit, require_sdk
from monai_xray2mri.errors import ExitCode, InputRefused, UsageError, Xray2MRIError, describe_unexpected
from settings import Settings, read_settings

if TYPE_CHECKING:
    from monai_xray2mri.core.system import System
    from monai_xray2mri.dicom.study import Study

LOADER = "dicom_data_loader_operator.py"
TALKATIVE = ("monai.deploy", "pydicom", "highdicom")
"""Loggers whose records quote headers: the SDK logs UIDs and descriptions at INFO and whole datasets at DEBUG,
pydicom the values that it finds invalid."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the app.

    Args:
        arguments: the command line without the program; None = that of the process.

    Returns:
        The exit code of the command line (README, "Exit codes").
    """
    settings = read_settings(sys.argv[1:] if arguments is None else arguments)
    set_up_logging(settings.log_level)
    logger = logging.getLogger("xray2mri")
    try:
        run_app(settings)
    except Xray2MRIError as error:
        logger.error("%s", error)
        return error.exit_code
    except Exception as error:  # its text may quote the input: only the type and the place are logged
        logger.error("%s", describe_unexpected(error))
        return ExitCode.UNEXPECTED
    return ExitCode.DONE


def run_app(settings: Settings) -> None:
    """Check study, bundle and output, then run the operators.

    Raises:
        Xray2MRIError: something is refused, missing or too large; nothing was written, but for SomeCasesFailed.
    """
    require_sdk()
    raise_stack_limit()
    if not settings.input.is_dir():
        found = "a file" if settings.input.exists() else "nothing at that path"
        raise UsageError("input", "must be the folder of a study", found, "Check the option -i.")

    # 1. Study: refused before torch is imported, which takes seconds
    from monai_xray2mri.systems.registry import system_of

    system = system_of(settings.bundle)
    request = system.request(**settings.request)
    study = _study(system, settings.input)

    # 2. Bundle, options, output
    from monai_xray2mri.runtime.files import require_free
    from run import Run

    predictor = system.predictor(settings.bundle, settings.device)
    sampling = predictor.resolve(**settings.sampling)
    require_free(settings.output, ())

    # 3. Operators
    os.environ.setdefault("HOLOSCAN_LOG_LEVEL", "OFF")  # it would print every error a second time, with its traceback
    from app import Xray2MRIApp

    run = Run(
        system,
        predictor,
        settings.bundle,
        settings.input,
        study,
        request,
        sampling,
        settings.output,
        settings.outputs,
        settings.allow_partial,
    )
    try:
        Xray2MRIApp(run).run()
    except Xray2MRIError:
        raise
    except Exception as error:
        if not _raised_in(LOADER, error):
            raise
        raise _unloadable(settings.input, error) from None


def _study(system: System, folder: Path) -> Study | None:
    """The sorted files of a study, for systems whose operators take selected series; None for others."""
    if system.name != "knee_xray2mri":
        return None
    from monai_xray2mri.systems.knee_xray2mri.plan import read_knee_study

    return read_knee_study(folder)


def set_up_logging(level: str) -> None:
    """Log to stderr, at no level with patient data.

    Args:
        level: of this app's own records; those of the libraries that quote headers are dropped whatever it is.
    """
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    warnings.simplefilter("ignore")  # pydicom's quote values
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    logging.getLogger().addFilter(_not_of_the_sdk)


def _not_of_the_sdk(record: logging.LogRecord) -> bool:
    """False for what the SDK's series selector logs on the root logger itself."""
    return "/monai/deploy/" not in Path(record.pathname).as_posix()


def _raised_in(file_name: str, error: Exception) -> bool:
    return any(Path(frame.filename).name == file_name for frame in traceback.extract_tb(error.__traceback__))


def _unloadable(study: Path, error: Exception) -> InputRefused:
    """The SDK's loader stops at the first file that it cannot open, a dangling link for example."""
    found, name = type(error).__name__, getattr(error, "filename", None)
    if isinstance(name, str) and Path(name).is_relative_to(study):
        found += f" at {Path(name).relative_to(study)}"
    return InputRefused("study", "must hold only files that can be opened", found, "Remove or repair that file.")
