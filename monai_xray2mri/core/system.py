"""What a system is: the contract between the published methods and everything that runs them.

A system turns a source (a study, a picture, a volume) into results. Who runs one knows four verbs::

    plan        every check of the input, no arithmetic, no weights
    predictor   the weights of a bundle, loaded once
    predict     one case to one result
    save        one result to one folder, whole or not at all

Command line, MONAI Deploy app, MONAI Label and evaluation use nothing else. ``docs/adding_a_system.md`` shows
how a stranger's package brings one; :mod:`monai_xray2mri.systems.registry` finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar, get_args, runtime_checkable

from monai_xray2mri.core.options import Option
from monai_xray2mri.errors import InputRefused

if TYPE_CHECKING:
    from monai_xray2mri.types import Volume

Label = Literal["corner", "none"]
"""Whether a small SYNTHETIC is burnt into a corner of every picture."""

Progress = Callable[[int], object]
"""Called with the units of work that were done since the last call."""


class Case(Protocol):
    """One thing that gets one result, after all checks."""

    @property
    def name(self) -> str:
        """Name of its result's folder, unique within its plan: ``foot_right``."""
        ...

    @property
    def key(self) -> str:
        """What tells it from the other cases of its source, as an option would: ``R``; empty where there is one."""
        ...

    @property
    def title(self) -> str:
        """What people call it: ``right foot``."""
        ...

    @property
    def remarks(self) -> Sequence[str]:
        """What the checks found worth knowing; each once."""
        ...

    def record(self) -> dict[str, object]:
        """What ``xray2mri check`` says of it; JSON, without patient data."""
        ...


C = TypeVar("C", bound=Case)


@dataclass(frozen=True)
class Plan(Generic[C]):
    """What would be made of a source.

    Attributes:
        cases: what gets a result.
        refusals: why others get none.
        remarks: what was passed over.
    """

    cases: tuple[C, ...]
    refusals: tuple[InputRefused, ...] = ()
    remarks: tuple[str, ...] = ()

    def only(self) -> C:
        """The case of a plan of which one result is wanted.

        Raises:
            InputRefused: there are several; the message says how to choose.
        """
        if len(self.cases) == 1:
            return self.cases[0]
        names = " and ".join(case.title for case in self.cases)
        keys = " or ".join(case.key for case in self.cases)
        raise InputRefused("input", "must hold one case", f"{len(self.cases)}: {names}", f"Choose one: side {keys}.")


class Request(Protocol):
    """What is wanted of a source: the values of a system's ``request_options``, checked."""


class Sampling(Protocol):
    """How results are drawn: values of ``sampling_options``, the bundle's own where none is given."""

    def record(self) -> dict[str, object]:
        """What determines the result, for its provenance."""
        ...


@dataclass(frozen=True)
class Outputs:
    """What is written beside the result itself.

    Attributes:
        label: ``"corner"`` burns a small SYNTHETIC into the pictures, ``"none"`` does not.
        nifti: also NIfTI files.
        sample_series: also each sample, where several were drawn.
        parametric_map: also the uncertainty as a Parametric Map.
    """

    label: Label = "corner"
    nifti: bool = False
    sample_series: bool = False
    parametric_map: bool = False


OUTPUT_OPTIONS: tuple[Option, ...] = (
    Option("label", str, "burn SYNTHETIC into a corner", "corner", choices=get_args(Label)),
    Option("sample_series", bool, "also write a series per sample", default=False),
    Option("parametric_map", bool, "also write the uncertainty as a parametric map", default=False),
    Option("nifti", bool, "also write NIfTI files of the volume and of its uncertainty", default=False),
)
"""The fields of :class:`Outputs`."""


class Written(Protocol):
    """A result on disk."""

    @property
    def directory(self) -> Path:
        """Its folder, named after its case."""
        ...


class Result(Protocol):
    """What a predictor makes of one case."""

    @property
    def case(self) -> Case:
        """What it was made of."""
        ...

    @property
    def volume(self) -> Volume:
        """The result on its grid in patient space, intensities in [0,1]: the mean, where several samples were drawn.

        A picture is a volume of one slice.
        """
        ...

    @property
    def uncertainty(self) -> Volume | None:
        """Standard deviation of the samples on the same grid; None for one sample."""
        ...

    @property
    def provenance(self) -> Mapping[str, object]:
        """What determines it, without patient data: equal values mean equal results on one device."""
        ...

    def save(self, folder: Path | str, outputs: Outputs = ...) -> Written:
        """Write the folder of this case below ``folder``, whole or not at all.

        Raises:
            UsageError: the folder exists or cannot be written.
        """
        ...


@runtime_checkable
class Marked(Protocol):
    """A result on which points were found and something was measured; a result need not be one."""

    @property
    def landmarks(self) -> Mapping[str, tuple[float, float, float]]:
        """(column, row, slice) of each point by name, as voxel indices of ``volume``."""
        ...

    @property
    def measurements(self) -> Mapping[str, str]:
        """What was measured, in words for people: ``{"hallux valgus angle": "24.1 degrees (21.9 to 26.0)"}``."""
        ...


@runtime_checkable
class Measured(Protocol):
    """A result from which numbers are read off, for tables of many results; a result need not be one."""

    def numbers(self) -> Mapping[str, float]:
        """Measures of the synthetic image by name and unit: ``joint_space_medial_mm``; worked out when asked for."""
        ...


class Predictor(Protocol):
    """A loaded bundle."""

    @property
    def name(self) -> str:
        """Name and version of the bundle."""
        ...

    @property
    def device(self) -> Any:
        """Where it computes."""
        ...

    def record(self) -> dict[str, object]:
        """What ``xray2mri info`` says of the bundle: JSON."""
        ...

    def server_info(self) -> Mapping[str, object]:
        """What a server tells its clients of the bundle in addition to its options; JSON, often empty."""
        ...

    def resolve(self, **options: Any) -> Sampling:
        """Sampling options, checked and completed with the bundle's own.

        Raises:
            UsageError: an option is unknown or out of range.
        """
        ...

    def work(self, sampling: Any) -> int:
        """Units of work of one case, for a progress bar."""
        ...

    def predict(self, case: Any, sampling: Any, progress: Progress | None = None) -> Result:
        """Make the result of one case.

        Raises:
            OutOfMemory: the device is too small.
        """
        ...


class System(Protocol):
    """A published system: what its bundles take, and how they are run.

    Attributes:
        name: of the system; entry ``"system"`` of a bundle's ``metadata.json``.
        summary: one line for ``--help``: from what to what.
        product: word in the name of a volume that a viewer stores: ``synthetic_mri``.
        modalities: DICOM modalities of the sources, by which a server finds them in its store.
        request_options: what may be chosen about the source.
        sampling_options: what may be chosen about how results are drawn.
        work_unit: word for a unit of work: ``slice``.
        cases_word: plural word for cases: ``feet``.
    """

    name: str
    summary: str
    product: str
    modalities: tuple[str, ...]
    request_options: tuple[Option, ...]
    sampling_options: tuple[Option, ...]
    work_unit: str
    cases_word: str

    def request(self, **values: Any) -> Request:
        """The request with these values of ``request_options``.

        Raises:
            UsageError: an option is unknown or out of range.
            InputRefused: a file or mapping that an option names is none of its kind.
        """
        ...

    def plan(self, source: Path, request: Any, bundle: Path) -> Plan[Any]:
        """All checks of a source: a file or folder. Needs a bundle's configuration, not its weights.

        Raises:
            InputRefused: nothing of it can be used.
            UsageError: it is not there.
            WeightsError: the bundle is missing.
        """
        ...

    def predictor(self, bundle: Path, device: str = "auto") -> Predictor:
        """Load a bundle.

        Raises:
            WeightsError: it is missing, damaged or of another system.
            UsageError: the device is not there.
        """
        ...

    def suites(self) -> Mapping[str, Any]:
        """Suites of ``xray2mri evaluate`` by name; empty where the system has none."""
        ...
