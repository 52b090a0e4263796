"""Takes mutated studies through the package's own functions and looks at what comes of them."""

from __future__ import annotations

import io
import json
import logging
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom
import torch
from pydicom import Dataset, dcmread

from monai_xray2mri.core.system import Outputs
from monai_xray2mri.errors import ExitCode, UsageError, Xray2MRIError, describe_unexpected
from monai_xray2mri.radiograph.reading import read_radiograph
from monai_xray2mri.systems.knee_xray2mri.fuzzing.benign import BENIGN
from monai_xray2mri.systems.knee_xray2mri.fuzzing.field import BENIGN_FIELD, HARMFUL_FIELD
from monai_xray2mri.systems.knee_xray2mri.fuzzing.film import IDENTIFIERS, make_film, save
from monai_xray2mri.systems.knee_xray2mri.fuzzing.harmful import HARMFUL
from monai_xray2mri.systems.knee_xray2mri.options import KneeRequest
from monai_xray2mri.systems.knee_xray2mri.plan import plan_study, read_knee_study
from monai_xray2mri.systems.knee_xray2mri.predictor import Xray2MRI
from monai_xray2mri.systems.knee_xray2mri.system import SYSTEM
from monai_xray2mri.systems.knee_xray2mri.tiny_network import tiny_network
from monai_xray2mri.systems.running import write_results

BENIGN_SHARE: Final = 0.4
"""Share of studies that must be used, with unchanged pixels."""
FIELD, FIELD_SHARE = 34, 0.3
"""Number of the random stream, and share of studies, of the mutations after reports from the field."""
ATTEMPTS: Final = 20
"""pydicom cannot write a few values: others are drawn then."""
UIDS: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


@dataclass(frozen=True)
class Outcome:
    """What came of one study.

    Attributes:
        number: of the study in the corpus.
        mutation: its name.
        benign: whether it must be used.
        code: exit code that the command line would end with.
        problems: everything that must not be; empty if all is well.
        message: the refusal.
    """

    number: int
    mutation: str
    benign: bool
    code: int
    problems: tuple[str, ...]
    message: str = ""


class Corpus:
    """Seeded studies: number ``n`` of a seed is the same wherever and in whatever order it is made.

    Args:
        picture: [n,n] in [0,1], a region of 110 mm of a right knee, bone bright.
        seed: of everything random.
    """

    def __init__(self, picture: np.ndarray, seed: int = 0) -> None:
        self.film, self.seed = make_film(picture), seed

    def write(self, number: int, folder: Path) -> tuple[str, bool]:
        """Write a study into a folder; returns the mutation's name and whether it is benign."""
        benign = bool(np.random.default_rng((self.seed, number)).random() < BENIGN_SHARE)
        of_field = bool(np.random.default_rng((self.seed, number, FIELD)).random() < FIELD_SHARE)
        mutations = (BENIGN_FIELD if of_field else BENIGN) if benign else (HARMFUL_FIELD if of_field else HARMFUL)
        name = list(mutations)[number % len(mutations)]
        with _any_value_may_be_written():
            for attempt in range(ATTEMPTS):
                folder.mkdir(parents=True)
                try:
                    mutations[name](deepcopy(self.film), folder, np.random.default_rng((self.seed, number, attempt)))
                except Exception:
                    shutil.rmtree(folder)
                else:
                    return name, benign
        raise UsageError(f"study {number} of the corpus", "must be writable", f"{ATTEMPTS} failed attempts")


class Harness:
    """Takes studies of a corpus through reading, checks, synthesis and writing.

    Args:
        corpus: the studies.
        predictor: what generates; :func:`tiny_predictor` is fast.
        whole_every: one of this many usable studies is synthesized and written, the others are only planned.
    """

    def __init__(self, corpus: Corpus, predictor: Xray2MRI, whole_every: int = 1) -> None:
        self.corpus, self.predictor, self.whole_every = corpus, predictor, whole_every
        self._used = 0
        with tempfile.TemporaryDirectory() as folder:
            self.pixels = read_radiograph(save(deepcopy(corpus.film), Path(folder))).pixels  # [H,W]
        self.hidden = _identifiers(corpus.film)

    def run(self, numbers: Sequence[int]) -> Iterator[Outcome]:
        """The outcome of each study; nothing of it stays on the disk."""
        for number in numbers:
            place = Path(tempfile.mkdtemp(prefix="mutation"))
            try:
                yield self._one(number, place)
            finally:
                shutil.rmtree(place, ignore_errors=True)

    def _one(self, number: int, place: Path) -> Outcome:
        name, benign = self.corpus.write(number, place / "study")
        output = place / "result"
        output.mkdir()
        problems, code, message = list[str](), ExitCode.DONE, ""
        with _listening() as said:
            try:
                problems += self._take_through(place / "study", output, benign)
            except Xray2MRIError as error:
                code, message = error.exit_code, str(error)
            except Exception as error:  # what a user must never see
                code = ExitCode.UNEXPECTED
                problems.append(describe_unexpected(error))
        if code != ExitCode.DONE:
            problems += ["left files behind a refusal"] if any(output.iterdir()) else []
            problems += ["a benign study was not used"] if benign else []
            problems += [] if code in (ExitCode.INPUT_REFUSED, ExitCode.UNEXPECTED) else [f"exit code {int(code)}"]
        told = f"{said.getvalue()}\n{message}".lower()
        problems += [f"says {keyword}" for keyword, value in self.hidden.items() if value.lower() in told]
        problems += ["shows a traceback"] if "traceback (most recent" in told else []
        return Outcome(number, name, benign, int(code), tuple(problems), message)

    def _take_through(self, study: Path, output: Path, benign: bool) -> list[str]:
        """Plan; of one in ``whole_every`` studies synthesize and write, too. Returns what is wrong with the result."""
        plan = plan_study(read_knee_study(study), KneeRequest(), self.predictor.network.region_mm)
        problems = []
        if benign and not all(np.array_equal(case.radiograph.pixels, self.pixels) for case in plan.cases):
            problems.append("pixels of a benign study changed")
        self._used += 1
        if self._used % self.whole_every:
            return problems
        sampling = self.predictor.resolve(steps=1)
        results = list(write_results(SYSTEM, self.predictor, plan, sampling, output, Outputs()))
        for result in results:
            problems += _wrong_with(result.directory)
        kept = {result.directory.name for result in results}
        return problems + [f"left {path.name}" for path in output.iterdir() if path.name not in kept]


def tiny_predictor() -> Xray2MRI:
    """A real predictor with random weights, small enough for thousands of studies: 4 slices of 64 x 64."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = tiny_network(modeled_slices=(13, 16), steps=1)
    return Xray2MRI(network, "tiny network of random weights", "0" * 64, "cpu")


@contextmanager
def _any_value_may_be_written() -> Iterator[None]:
    settings = pydicom.config.settings
    before, settings.writing_validation_mode = settings.writing_validation_mode, pydicom.config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        settings.writing_validation_mode = before


def _identifiers(film: Dataset) -> dict[str, str]:
    """What must not be said: values of the patient, names also by their parts, and the UIDs."""
    hidden = {keyword: str(film[keyword].value) for keyword in UIDS}
    for keyword, value in IDENTIFIERS.items():
        for number, part in enumerate(value.split("^")):
            hidden[f"{keyword} {number}"] = part
    return hidden


@contextmanager
def _listening() -> Iterator[io.StringIO]:
    """Everything that is printed, logged at any level, or warned of while the block runs."""
    said = io.StringIO()
    handler, root = logging.StreamHandler(said), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with redirect_stdout(said), redirect_stderr(said), warnings.catch_warnings():
            warnings.simplefilter("always")
            yield said
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def _wrong_with(directory: Path) -> list[str]:
    """What is wrong with the folder of a knee."""
    try:
        report: dict[str, Any] = json.loads((directory / "report.json").read_text())
        slices = [dcmread(path) for path in sorted((directory / "dicom").iterdir())]
        shapes = {image.pixel_array.shape for image in slices}
    except Exception as error:
        return [f"an unreadable result: {type(error).__name__}"]
    problems = [] if len(slices) == report["series"]["slices"] and len(shapes) == 1 else ["an incomplete series"]
    missing = [name for name in ("preview.png", "page.pdf", "page.dcm") if not (directory / name).is_file()]
    return problems + [f"no {name}" for name in missing]


def timed(outcomes: Iterator[Outcome]) -> Iterator[tuple[Outcome, float]]:
    """Outcomes with the seconds that each took."""
    start = time.perf_counter()
    for outcome in outcomes:
        yield outcome, time.perf_counter() - start
        start = time.perf_counter()
