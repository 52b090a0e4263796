"""Feet other than those of training: how closely the skin follows the bones, and how well pairs are registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import Figure, ResultTable, Study, distinct, where
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.cases import REGISTRATIONS, VISIBILITIES, FootCase
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.measures import IMAGE_MEASURES
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.methods import NetworkMethod
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.setting import FootSetting, condition_table
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.studies.comparison import SKIN, angle_table, scatter


def measure(setting: FootSetting, case: FootCase) -> Iterator[Row]:
    """A row for each network, for the nearest photograph, and for what the skin tells."""
    ruler = setting.ruler(case)
    for name, method in setting.methods.items():
        if name != "nearest photograph" and not isinstance(method, NetworkMethod):
            continue
        (radiograph,) = generate(method, case.given(), 1, setting.seed)
        yield {"entered": name, **ruler.intensities(radiograph), **ruler.reading(radiograph)}
    yield {"entered": SKIN, **ruler.angles(*case.known().told)}


def work(setting: FootSetting) -> float:
    """Radiographs that one foot costs."""
    return float(sum(isinstance(each, NetworkMethod) and each.stochastic for each in setting.methods.values()))


def _labelled(rows: Sequence[Row]) -> list[Row]:
    return [{**row, "condition": f"{row['entered']}, {row['split']}"} for row in rows]


def _of_main(draw: Callable[[Sequence[Row]], Any]) -> Callable[[Sequence[Row]], Any]:
    """A figure of the first method's rows alone."""
    return lambda rows: draw(where(rows, entered=distinct(rows, "entered")[0]))


def _tables(name: str, title: str, note: str) -> Callable[[Sequence[Row]], list[ResultTable]]:
    def tables(rows: Sequence[Row]) -> list[ResultTable]:
        labelled = _labelled(rows)
        measured = {**IMAGE_MEASURES, "kcc": "KCC"}
        return [
            condition_table(labelled, name, title, measured, note),
            angle_table(labelled, f"{name}_angles", "condition", f"{title}: keypoints and angles"),
        ]

    return tables


VISIBILITY: Final = Study(
    "visibility", "How closely the skin follows the bones", tuple(VISIBILITIES), {"cpu": 40, "full": 200}, measure,
    work,
    _tables(
        "visibility", "Visibility",
        "At visibility 0 nothing in a photograph predicts the angles: a correlation there would be the study's fault.",
    ),
    needs_simulation=True, fitted=True,
    figures=(Figure("visibility", "Angles by the bundle over the true ones.", _of_main(scatter("split"))),),
)  # fmt: skip
REGISTRATION: Final = Study(
    "registration", "Registration error of pairs", tuple(REGISTRATIONS), {"cpu": 20, "full": 200}, measure, work,
    _tables("registration", "Registration error", "Photograph and true radiograph are apart by so much."),
    needs_simulation=True, fitted=True,
)  # fmt: skip
