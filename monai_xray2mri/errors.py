"""Errors that a user can act on, each with the exit code of the command line (README, "Exit codes").

A message names the thing, the rule it breaks, the value found and what to do. It never holds patient data:
files are named by their position under the input folder, people not at all.
"""

from __future__ import annotations

import traceback
from enum import IntEnum
from pathlib import Path

FORCE = "The option --force uses it all the same, and the result says so."


class ExitCode(IntEnum):
    """Exit codes shared by ``xray2mri`` and ``monai-deploy exec``."""

    DONE = 0
    UNEXPECTED = 1
    USAGE = 2
    INPUT_REFUSED = 3
    WEIGHTS = 4
    OUT_OF_MEMORY = 5
    SOME_CASES_FAILED = 8


class Xray2MRIError(Exception):
    """Base of all errors that this package raises on purpose.

    Args:
        what: the thing concerned, e.g. ``"radiograph film.dcm"``.
        rule: what it must fulfil, e.g. ``"needs a pixel spacing"``.
        found: the value met, e.g. ``"neither ImagerPixelSpacing nor PixelSpacing"``.
        remedy: what the user can do.
    """

    exit_code = ExitCode.UNEXPECTED

    def __init__(self, what: str, rule: str, found: str = "", remedy: str = "") -> None:
        self.what, self.rule, self.found, self.remedy = what, rule, found, remedy
        message = f"{what}: {rule}"
        if found:
            message += f" (found: {found})"
        if remedy:
            message += f". {remedy}"
        super().__init__(message)

    def __reduce__(self) -> tuple[type[Xray2MRIError], tuple[str, str, str, str]]:
        """Pickle by its four parts, so that it comes out of a worker process as what it was."""
        return type(self), (self.what, self.rule, self.found, self.remedy)


class InputRefused(Xray2MRIError):
    """An input that is not used because the result could not be trusted."""

    exit_code = ExitCode.INPUT_REFUSED


class WeightsError(Xray2MRIError):
    """A bundle or its weights are missing, damaged or of another architecture."""

    exit_code = ExitCode.WEIGHTS


class OutOfMemory(Xray2MRIError):
    """The device ran out of memory."""

    exit_code = ExitCode.OUT_OF_MEMORY


class UsageError(Xray2MRIError):
    """The call itself cannot be carried out: a missing input path, an output that cannot be written."""

    exit_code = ExitCode.USAGE


class UnknownName(UsageError):
    """The call names an image, a model or another thing that is not there."""


class SomeCasesFailed(Xray2MRIError):
    """Some knees were written, others were not; the message names the others."""

    exit_code = ExitCode.SOME_CASES_FAILED


class DoubtfulInput(InputRefused):
    """A picture that an automatic check doubts; a user who knows better may force its use, which is recorded."""

    def __init__(self, what: str, rule: str, found: str = "", remedy: str = "") -> None:
        if not remedy.endswith(FORCE):
            remedy = f"{remedy} {FORCE}".strip()
        super().__init__(what, rule, found, remedy)


class NoFrontalKnee(DoubtfulInput):
    """A picture that does not look like a knee from the front: a lateral that does not say so, a film upside down."""


class NotAKnee(InputRefused):
    """A radiograph of something else; beside a knee radiograph of the same study it is passed over with a remark."""


def describe_unexpected(error: BaseException) -> str:
    """Kind and place of an unforeseen error, without its text, which may quote the input."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"unexpected {type(error).__name__}{place}"
