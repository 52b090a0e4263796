"""Starts the app: checks before any compute, exit codes that say what happened, logs without patient data."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from monai_xray2mri.deploy.command import raise_stack_limit, require_sdk
from monai_xray2mri.errors import ExitCode, UsageError, Xray2MRIError, describe_unexpected
from settings import Settings, read_settings

OWN = ("xray2mri", "monai_xray2mri")
"""Roots of our own loggers."""
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

    # 1. Bundle, options, output
    from monai_xray2mri.runtime.files import require_free
    from monai_xray2mri.systems.registry import system_of
    from run import Run

    system = system_of(settings.bundle)
    request = system.request(**settings.request)
    predictor = system.predictor(settings.bundle, settings.device)
    sampling = predictor.resolve(**settings.sampling)
    require_free(settings.output, ())

    # 2. Operators
    # CuPy, which Holoscan imports, makes a folder in the home at its import; a container's user may have none.
    os.environ.setdefault("CUPY_CACHE_DIR", str(Path(tempfile.gettempdir()) / "cupy"))
    os.environ.setdefault("HOLOSCAN_LOG_LEVEL", "OFF")  # it would print every error a second time, with its traceback
    from app import Xray2MRIApp

    run = Run(
        system,
        predictor,
        settings.bundle,
        settings.input,
        request,
        sampling,
        settings.output,
        settings.outputs,
        settings.allow_partial,
    )
    Xray2MRIApp(run).run()


def set_up_logging(level: str) -> None:
    """Log to stderr, at no level with patient data, and of other libraries only errors.

    Args:
        level: of this app's own records; those of the libraries that quote headers are dropped whatever it is.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_concerns_the_user)
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", handlers=[handler])
    warnings.simplefilter("ignore")  # pydicom's quote values
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    logging.getLogger().addFilter(_not_of_the_sdk)


def _concerns_the_user(record: logging.LogRecord) -> bool:
    """Whether a record is ours or an error; a font library alone writes 76 lines into a run at INFO."""
    return record.name.partition(".")[0] in OWN or record.levelno >= logging.ERROR


def _not_of_the_sdk(record: logging.LogRecord) -> bool:
    """False for what the SDK logs on the root logger itself."""
    return "/monai/deploy/" not in Path(record.pathname).as_posix()
