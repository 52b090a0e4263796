"""What a study is: how it measures one knee, what that costs, and how its rows become tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from monai_xray2mri.diffusion.sampler_settings import SamplerSettings
from monai_xray2mri.evaluation.protocols import Method
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.knee.data.arrays import SLICES
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import EvaluationKnee
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import NetworkMethod

SAMPLES: Final = 8
"""Volumes of one knee whose mean and spread are measured."""


@dataclass(frozen=True)
class Profile:
    """How much is computed.

    Attributes:
        name: ``"cpu"`` or ``"full"``.
        stride: every so many slices are looked at where a study needs many samples of few slices.
    """

    name: str
    stride: int

    @property
    def few(self) -> tuple[int, ...]:
        """Positions of those slices, the ends left out alike."""
        return tuple(range(min(self.stride // 2, SLICES - 1), SLICES, self.stride))


PROFILES: Final[Mapping[str, Profile]] = {"cpu": Profile("cpu", 5), "full": Profile("full", 1)}


@dataclass(frozen=True)
class Setting:
    """What a study is run with.

    Attributes:
        methods: name to method; all of them are compared.
        main: name of the bundle that the other studies look into.
        profile: how much is computed.
        seed: of whatever is drawn.
        simulated: whether knees are simulated, so that their truth is known beyond the volume.
        done: methods that the knee at hand has been measured with before.
    """

    methods: Mapping[str, Method]
    main: str
    profile: Profile
    seed: int
    simulated: bool
    done: frozenset[str] = frozenset()

    @property
    def todo(self) -> dict[str, Method]:
        """The methods that the knee at hand has not been measured with."""
        return {name: method for name, method in self.methods.items() if name not in self.done}

    @property
    def bundle(self) -> NetworkMethod:
        """The method of the bundle."""
        method = self.methods[self.main]
        if not isinstance(method, NetworkMethod):
            raise TypeError(f"{self.main} must be a network")
        return method


@dataclass(frozen=True)
class Table:
    """A table as it is written: CSV, Markdown and HTML.

    Attributes:
        name: of its files.
        title: above it.
        columns: headings.
        rows: cells, text or numbers.
        note: what must be known to read it.
    """

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    note: str = ""


@dataclass(frozen=True)
class Study:
    """One study.

    Attributes:
        name: of its records and tables.
        title: in words.
        splits: ranges of seeds, or splits of a prepared set, that its knees are of; so many knees of each.
        knees: profile to the number of knees.
        measure: setting and knee to the rows of this knee.
        slices: setting to the slices that one knee costs, each with the bundle's default sampler.
        simulations: setting to the knees that are simulated for one.
        tables: rows to tables.
        needs_simulation: only simulated knees know what it asks.
        compares: all methods are measured, not the bundle alone; each row tells its ``method``.
        fitted: methods are asked that must be shown training knees.
    """

    name: str
    title: str
    splits: tuple[str, ...]
    knees: Mapping[str, int]
    measure: Callable[[Setting, EvaluationKnee], Iterable[Row]]
    slices: Callable[[Setting], float]
    tables: Callable[[Sequence[Row]], list[Table]]
    simulations: Callable[[Setting], float] = lambda _: 1
    needs_simulation: bool = False
    compares: bool = False
    fitted: bool = False


def step_slices(setting: Setting, slices: int, **settings: float) -> float:
    """Cost of slices with another sampler, in slices with the default one; decoding counts as seven denoiser calls."""
    own = setting.bundle.network.settings

    def calls(sampler: SamplerSettings) -> float:
        both, features = sampler.guidance, sampler.feature_guidance
        return sampler.steps * sum(share != 0 for share in (1 - both, both - features, features)) + 7

    return slices * calls(own.altered(**settings)) / calls(own)


def column(rows: Iterable[Row], name: str) -> list[float]:
    """A measure of all rows that have it, NaN for those that do not."""
    return [np.nan if row.get(name) is None else float(row[name]) for row in rows]


def where(rows: Iterable[Row], **values: Any) -> list[Row]:
    """Rows in which each named entry has the given value."""
    return [row for row in rows if all(row.get(name) == value for name, value in values.items())]


def distinct(rows: Iterable[Row], name: str) -> list[Any]:
    """Values of an entry in the order in which they first come."""
    return list(dict.fromkeys(row[name] for row in rows if name in row))
