"""Makes the results of a study with the bundle's system, in a process of its own.

That process holds the loaded weights from study to study. It can be ended at any moment: when a study takes too long,
when its memory runs out, when the worker is told to stop. What a forged file does to a decoder, it does there.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from monai_xray2mri.core.identity import package_version
from monai_xray2mri.core.system import Predictor, System
from monai_xray2mri.errors import InputRefused, NotAKnee, OutOfMemory, UsageError, Xray2MRIError, describe_unexpected
from monai_xray2mri.hospital.settings import ModelSettings
from monai_xray2mri.runtime.worker import Died, Limits, Worker

_START_S: Final = 600.0
_CODE_LENGTH: Final = 48


@dataclass(frozen=True)
class Answer:
    """What was made of a study.

    Attributes:
        outcome: ``"done"``; ``"refused"``; ``"passed"``: its images are of something that the system is
            not for.
        files: DICOM objects of the result, below the output folder.
        refusals: why a part of the study, or all of it, has no result: texts without patient data.
        code: of the first refusal: short and stable.
    """

    outcome: str
    files: tuple[Path, ...] = ()
    refusals: tuple[str, ...] = ()
    code: str = ""


class MakingFailed(Xray2MRIError):
    """A result could not be made for a reason that another attempt may not meet."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__("result", "could not be made", text or code)
        self.code = code

    def __reduce__(self) -> tuple[type[MakingFailed], tuple[str, str]]:  # type: ignore[override]
        return type(self), (self.code, self.found)


class Stopped(Xray2MRIError):
    """The worker was told to end, or lost the study, while a result was made."""


class Maker(Protocol):
    """What makes results."""

    @property
    def version(self) -> str:
        """Of software and weights."""
        ...

    def make(self, source: Path, output: Path, seconds: float, stop: Callable[[], bool]) -> Answer:
        """Make the results of a study.

        Args:
            source: folder of its sources.
            output: folder that is made for the results.
            seconds: that this may take.
            stop: asked now and then whether to end early.

        Raises:
            MakingFailed: no result for now.
            Stopped: ``stop`` said so.
        """
        ...

    def close(self) -> None:
        """End what makes results."""
        ...


def refusal_code(refusal: InputRefused) -> str:
    """A refusal's rule as a short code: ``needs-a-pixel-spacing``."""
    words = re.sub(r"[^a-z0-9]+", "-", refusal.rule.lower()).strip("-")
    return words[:_CODE_LENGTH].rstrip("-") or "refused"


def make_results(
    system: System, predictor: Predictor, model: ModelSettings, partial: bool, source: Path, output: Path
) -> Answer:
    """The results of a study, in this process.

    Args:
        system: of the bundle.
        predictor: the loaded bundle.
        model: how it is run.
        partial: whether what can be made is made where another part of the study is refused.
        source: folder of the study's sources.
        output: folder for the results.

    Raises:
        MakingFailed: the machine is too small, or something unforeseen happened.
    """
    from monai_xray2mri.systems.registry import default_bundle
    from monai_xray2mri.systems.running import write_results

    bundle = model.bundle or default_bundle()
    try:
        plan = system.plan(source, system.request(**model.request), bundle)
        if plan.refusals and not partial:
            return _refused(plan.refusals)
        sampling = predictor.resolve(**model.sampling)
        for _ in write_results(system, predictor, plan, sampling, output, model.outputs):
            pass
    except NotAKnee:
        return Answer("passed")
    except InputRefused as refusal:
        return _refused((refusal,))
    except (OutOfMemory, MemoryError) as error:
        raise MakingFailed("out-of-memory") from error
    except Xray2MRIError as error:
        raise MakingFailed(type(error).__name__.lower(), str(error)) from error
    except Exception as error:  # whatever a file provokes must not end the worker
        raise MakingFailed(f"unexpected-{type(error).__name__}", describe_unexpected(error)) from error
    files = tuple(sorted(output.rglob("*.dcm")))
    refusals = tuple(str(refusal) for refusal in plan.refusals)
    return Answer("done", files, refusals, refusal_code(plan.refusals[0]) if plan.refusals else "")


def _refused(refusals: tuple[InputRefused, ...]) -> Answer:
    return Answer("refused", (), tuple(str(refusal) for refusal in refusals), refusal_code(refusals[0]))


def version_of(predictor: Predictor) -> str:
    """Version of package, bundle and weights in one line."""
    record: Mapping[str, object] = predictor.record()
    weights = str(record.get("weights_sha256", ""))[:12]
    return " ".join(part for part in (package_version(), predictor.name, weights) if part)[:120]


@dataclass(frozen=True)
class _Question:
    """A study to make the results of."""

    source: Path
    output: Path


class _Making:
    """What the process does: loads the bundle before its first answer, and makes results.

    Asked nothing, it answers its version.
    """

    def __init__(self, model: ModelSettings, partial: bool) -> None:
        self._model, self._partial = model, partial
        self._loaded: tuple[System, Predictor] | None = None

    def __call__(self, question: _Question | None) -> Answer | str:
        from monai_xray2mri.dicom.quiet import quiet

        with quiet():
            system, predictor = self._loaded = self._loaded or self._load()
            if question is None:
                return version_of(predictor)
            source, output = question.source, question.output
            return make_results(system, predictor, self._model, self._partial, source, output)

    def _load(self) -> tuple[System, Predictor]:
        for number in (signal.SIGTERM, signal.SIGINT):  # who stops the worker stops this, too, and in order
            signal.signal(number, signal.SIG_IGN)
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - libraries say what they read
        from monai_xray2mri.systems.registry import default_bundle, system_of

        model = self._model
        bundle = model.bundle or default_bundle()
        try:
            system = system_of(bundle)
            predictor = system.predictor(bundle, model.device)
            predictor.resolve(**model.sampling)
            system.request(**model.request)
        except Xray2MRIError:
            raise
        except Exception as error:
            raise UsageError(f"bundle {bundle.name}", "must load", describe_unexpected(error)) from error
        return system, predictor


class ChildMaker:
    """A :class:`Maker` in a process of its own, started when it is needed and after it was ended.

    Args:
        model: the bundle and how it is run.
        partial: see :func:`make_results`.

    Raises:
        WeightsError: the bundle is missing or damaged.
        UsageError: an option is out of range, or the device is not there.
    """

    def __init__(self, model: ModelSettings, partial: bool) -> None:
        self._worker: Worker[_Question | None, Answer | str] = Worker(_Making(model, partial), one_thread=False)
        self.version = ""
        try:
            self._load(lambda: False)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int | None:
        """Process that makes results; None where there is none."""
        return self._worker.pid

    def make(self, source: Path, output: Path, seconds: float, stop: Callable[[], bool]) -> Answer:
        """See :class:`Maker`."""
        self._load(stop)
        answer = self._ask(_Question(source, output), seconds, stop)
        assert isinstance(answer, Answer)
        return answer

    def close(self) -> None:
        """End the process at once, for good."""
        self._worker.end()

    def _load(self, stop: Callable[[], bool]) -> None:
        """Make sure that the bundle is loaded, which takes no time if it is: loading does not count as making."""
        self.version = str(self._ask(None, _START_S, stop))

    def _ask(self, question: _Question | None, seconds: float, stop: Callable[[], bool]) -> Answer | str:
        answer = self._worker(question, Limits(seconds=seconds), stop)
        if not isinstance(answer, Died):
            return answer
        if stop():  # once it says so, it goes on saying so
            raise Stopped("result", "was not finished", "the worker was told to stop")
        if answer.limit:
            raise MakingFailed("time-limit", f"more than {seconds:g} s")
        if answer.signal == signal.SIGKILL:
            raise MakingFailed("killed", "the process was killed, as it is where memory runs out")
        raise MakingFailed("maker-died", f"the process {answer.why}")
