"""What a study is: how it measures one case, what that costs, and how its rows become tables and figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import numpy as np

from monai_xray2mri.evaluation.protocols import C, Method
from monai_xray2mri.evaluation.records import Row

if TYPE_CHECKING:
    from monai_xray2mri.evaluation.perceptual import PerceptualDistance


@dataclass(frozen=True)
class Profile:
    """How much is computed.

    Attributes:
        name: ``"cpu"`` or ``"full"``.
        stride: where a study needs many samples, it looks at every stride-th position of a result.
    """

    name: str
    stride: int

    def positions(self, count: int) -> tuple[int, ...]:
        """Those of ``count`` positions that are looked at, as far from the first as from the last.

        Example:
            >>> Profile("cpu", 5).positions(20)
            (2, 7, 12, 17)
        """
        return tuple(range(min(self.stride // 2, count - 1), count, self.stride))


PROFILES: Final[Mapping[str, Profile]] = {"cpu": Profile("cpu", 5), "full": Profile("full", 1)}


M = TypeVar("M", bound=Method)


@dataclass(frozen=True)
class Setting:
    """What a study is run with. A system may add to it.

    Attributes:
        methods: name to method; all of them are compared.
        main: name of the bundle's method, which the studies of one method look into.
        profile: how much is computed.
        seed: of whatever is drawn.
        simulated: whether cases are simulated, so that their truth is known beyond the result itself.
        lpips: LPIPS by published weights; None: they were not given, and studies use features of the bundle.
        done: methods that the case at hand has been measured with before.
    """

    methods: Mapping[str, Method]
    main: str
    profile: Profile
    seed: int
    simulated: bool
    lpips: PerceptualDistance | None = None
    done: frozenset[str] = frozenset()

    @property
    def todo(self) -> dict[str, Method]:
        """The methods that the case at hand has not been measured with."""
        return {name: method for name, method in self.methods.items() if name not in self.done}

    def main_method(self, kind: type[M]) -> M:
        """The bundle's method, which must be of a kind."""
        method = self.methods[self.main]
        if not isinstance(method, kind):
            raise TypeError(f"{self.main} must be a {kind.__name__}")
        return method


S = TypeVar("S", bound=Setting)


@dataclass(frozen=True)
class ResultTable:
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
class Figure:
    """A figure that is drawn from a study's rows.

    Attributes:
        name: of its files.
        caption: below it.
        draw: rows to a figure of matplotlib.
    """

    name: str
    caption: str
    draw: Callable[[Sequence[Row]], Any]


@dataclass(frozen=True)
class PictureSheet(Generic[S, C]):
    """Pictures of a study's cases; methods generate what they show, so that they are drawn while it is measured.

    Attributes:
        name: of its files.
        caption: below it.
        draw: setting, rows, and the case of a name, to a figure of matplotlib; None where the rows show nothing.
    """

    name: str
    caption: str
    draw: Callable[[S, Sequence[Row], Callable[[str], C]], Any]


@dataclass(frozen=True)
class Study(Generic[S, C]):
    """One study.

    Attributes:
        name: of its records and tables.
        title: in words.
        splits: parts of the data that its cases are of.
        cases: profile to the number of cases of each split.
        measure: setting and case to the rows of this case.
        work: setting to the units of work that one case costs (slices, pictures), with the bundle's own sampler.
        tables: rows to tables.
        simulations: setting to the cases that are simulated for one.
        needs_simulation: only simulated cases know what it asks.
        needs_films: it is about real radiographs, which an option names.
        on_request: it runs only where it is named.
        compares: all methods are measured, not the bundle alone; each row tells its ``method``.
        before_methods: values of ``method`` that are no methods, such as the truth; tables have them first.
        after_methods: others that tables have last, such as a ceiling.
        fitted: it looks into methods that must be shown training cases.
        figures: drawn from its rows.
        sheets: pictures of its cases.
    """

    name: str
    title: str
    splits: tuple[str, ...]
    cases: Mapping[str, int]
    measure: Callable[[S, C], Iterable[Row]]
    work: Callable[[S], float]
    tables: Callable[[Sequence[Row]], list[ResultTable]]
    simulations: Callable[[S], float] = lambda _: 1
    needs_simulation: bool = False
    needs_films: bool = False
    on_request: bool = False
    compares: bool = False
    before_methods: tuple[str, ...] = ()
    after_methods: tuple[str, ...] = ()
    fitted: bool = False
    figures: Sequence[Figure] = ()
    sheets: Sequence[PictureSheet[S, C]] = ()


def column(rows: Iterable[Row], name: str) -> list[float]:
    """A measure of all rows, NaN for those that do not have it."""
    return [np.nan if row.get(name) is None else float(row[name]) for row in rows]


def where(rows: Iterable[Row], **values: Any) -> list[Row]:
    """Rows in which each named entry has the given value."""
    return [row for row in rows if all(row.get(name) == value for name, value in values.items())]


def distinct(rows: Iterable[Row], name: str) -> list[Any]:
    """Values of an entry in the order in which they first come."""
    return list(dict.fromkeys(row[name] for row in rows if name in row))
