"""Which system a bundle names, and how it is run by one call.

A bundle's ``metadata.json`` names its system. Systems of other packages are found by entry points of the group
``monai_xray2mri.systems``: the name of an entry is the system's, its object a
:class:`~monai_xray2mri.core.system.System`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from monai_xray2mri.core.bundles import shipped_bundle, system_name
from monai_xray2mri.core.system import Predictor, Progress, Result, System
from monai_xray2mri.errors import WeightsError
from monai_xray2mri.systems.running import progress_of, split_options

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP: Final = "monai_xray2mri.systems"
"""Entry points of systems in other packages."""

_NAMES: Final = ("knee_xray2mri", "mri_xdiffusion", "foot_xray_sccdm")
_OWN: Final = {name: f"monai_xray2mri.systems.{name}.system" for name in _NAMES}
"""Systems of this package and the modules that hold their ``SYSTEM``."""


DEFAULT_BUNDLE: Final = "knee_xray2mri"
"""The bundle that is meant where none is named."""


def default_bundle() -> Path:
    """The bundle that comes with the package, unless ``$XRAY2MRI_BUNDLE`` names another."""
    return shipped_bundle(DEFAULT_BUNDLE)


def system_names() -> tuple[str, ...]:
    """Names of all systems that are installed: this package's own first."""
    from importlib.metadata import entry_points  # only where another package may bring a system

    others = sorted({entry.name for entry in entry_points(group=GROUP)} - set(_OWN))
    return (*_OWN, *others)


def default_system() -> System:
    """The system whose options a command line may hold as long as its bundle cannot be read."""
    return find_system(system_names()[0])


def find_system(name: str) -> System:
    """The system of a name.

    Raises:
        WeightsError: no such system is installed.
    """
    if name in _OWN:
        system: System = import_module(_OWN[name]).SYSTEM
        return system
    from importlib.metadata import entry_points

    entry = next(iter(entry_points(group=GROUP, name=name)), None)
    if entry is None:
        known = ", ".join(system_names())
        raise WeightsError(
            f"system {name}", f"must be one of: {known}", "none of them", "Install the package that brings it."
        )
    return _loaded(entry)


def _loaded(entry: EntryPoint) -> System:
    try:
        system: System = entry.load()
    except Exception as error:  # a stranger's package may fail anywhere in its import
        raise WeightsError(
            f"system {entry.name}", "must be importable", type(error).__name__, f"Repair or remove {entry.value}."
        ) from error
    return system


def system_of(bundle: Path | None = None) -> System:
    """The system that a bundle names; None: the bundle that comes with this package.

    Raises:
        WeightsError: the bundle is missing or names no system that is installed.

    Example:
        >>> from monai_xray2mri.systems.registry import system_of
        >>> system_of().name
        'knee_xray2mri'
    """
    return find_system(system_name(bundle or default_bundle()))


@dataclass(frozen=True)
class Loaded:
    """A bundle that is loaded: call it with a source to get a result.

    Attributes:
        system: that the bundle names.
        predictor: its network.
        bundle: where it lies.
    """

    system: System
    predictor: Predictor
    bundle: Path

    def __call__(self, source: str | Path, *, progress: bool | Progress = False, **options: Any) -> Result:
        """The result of one source.

        Args:
            source: file or folder.
            progress: True shows a bar with the time left where stderr is a terminal; a function is called with the
                units of work done since.
            **options: of the system: ``request_options`` and ``sampling_options``.

        Raises:
            UsageError: an option is unknown or out of range.
            InputRefused: the source cannot be used, or holds several cases and no option chooses one.
        """
        system, predictor = self.system, self.predictor
        asked, drawn = split_options(options, system.request_options, system.sampling_options)
        sampling = predictor.resolve(**drawn)
        case = system.plan(Path(source), system.request(**asked), self.bundle).only()
        with progress_of(predictor.work(sampling), system.work_unit, case.title, progress) as update:
            return predictor.predict(case, sampling, update)


def load(bundle: str | Path | None = None, device: str = "auto") -> Loaded:
    """Load a bundle with the system that it names.

    Args:
        bundle: its folder; None: the bundle that comes with this package.
        device: ``auto``, ``cuda``, ``mps`` or ``cpu``.

    Raises:
        WeightsError: it is missing, damaged or names no system that is installed.
        UsageError: the device is not there.

    Example::

        from monai_xray2mri import load

        result = load("bundle/knee_xray2mri")("knee.dcm", samples=8, seed=0)
        result.save("out/")
    """
    path = Path(bundle) if bundle is not None else default_bundle()
    system = system_of(path)
    return Loaded(system, system.predictor(path, device), path)
