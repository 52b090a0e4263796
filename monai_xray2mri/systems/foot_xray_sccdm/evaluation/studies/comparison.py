"""All methods on the same photographs: SCCDM, what has no network, what ``--method`` adds (Wan 2025, Table 1, 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from monai_xray2mri.evaluation.agreement import limits_of_agreement, weighted_kappa
from monai_xray2mri.evaluation.bootstrap import correlation, holm, paired_p_value, summarize
from monai_xray2mri.evaluation.claims import difference, mean_by_case, participants_of
from monai_xray2mri.evaluation.conditions import mean_cell
from monai_xray2mri.evaluation.kid import frechet_distance, kernel_distance
from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.plots import COLORS, new_figure
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import Figure, PictureSheet, ResultTable, Study, column, distinct, where
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.cases import TEST, FootCase
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.measures import (
    ANGLES,
    FOOT_MEASURES,
    IMAGE_MEASURES,
    features_row,
    grade,
)
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.methods import NetworkMethod
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.setting import WORDS, FootSetting, condition_table

TRUE: Final = "true radiograph"
AGAIN: Final = {0.0: "radiographed again", 1.0: "radiographed again, 1 mm apart"}
SKIN: Final = "what the skin tells"
"""The best linear prediction of the angles from those that the skin truly shows: a bound for every method."""
TONES: Final = {"very light to intermediate": (28.0, 90.0), "tan": (10.0, 28.0), "brown to dark": (-90.0, 10.0)}
"""Skin tones by individual typology angle in degrees (Chardon et al. 1991), coarsely."""
GRADES: Final = ("normal", "mild", "moderate", "severe")
_SHOWN: Final = 10
"""Feet on the picture sheet."""


def measure(setting: FootSetting, case: FootCase) -> Iterator[Row]:
    """A row for the true radiograph, for each method, and for the foot radiographed again."""
    ruler = setting.ruler(case)
    facts = _facts(case)
    yield {"method": TRUE, **facts, **ruler.reading(case.radiograph), **features_row(case.radiograph)}
    for name, method in setting.todo.items():
        (radiograph,) = generate(method, case.given(), 1, setting.seed)
        yield {"method": name, **facts, **ruler.measure(radiograph)}
    if case.truth is None:
        return
    for distance, radiograph in case.truth.again.items():
        yield {"method": AGAIN[distance], **facts, **ruler.measure(radiograph)}
    yield {"method": SKIN, **facts, **ruler.angles(*case.truth.told)}


def _facts(case: FootCase) -> Row:
    """Which groups a foot belongs to."""
    if case.truth is None:
        return {}
    tone = next(name for name, (low, high) in TONES.items() if low <= case.truth.tone < high)
    return {"tone": tone, "severity": GRADES[grade(case.truth.hallux_valgus, "hva")]}


def work(setting: FootSetting) -> float:
    """Radiographs that one foot costs."""
    return float(sum(isinstance(each, NetworkMethod) and each.stochastic for each in setting.todo.values()))


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """Intensities; distributions; keypoints and angles; grades; groups; paired tests."""
    note = (
        "Intensities 0 to 1, range 1. KCC looks at no truth: another foot's radiograph may score as high as one's own."
    )
    found = [
        condition_table(
            [row for row in rows if row["method"] != SKIN],
            "comparison", "Methods", {**IMAGE_MEASURES, "kcc": "KCC"}, note, by="method",
        ),
        distributions(rows),
    ]  # fmt: skip
    if any("hva_true" in row for row in rows):
        found += [angle_table(rows, "angles", by="method"), grade_table(rows), *group_tables(rows)]
    return [*found, *_tests(rows)]


def distributions(rows: Sequence[Row]) -> ResultTable:
    """FID and KID on the features of the filter bank."""
    true = where(rows, method=TRUE)
    cells = []
    for name in distinct(rows, "method"):
        chosen = where(rows, method=name)
        if name in (TRUE, SKIN) or min(len(chosen), len(true)) < 2:
            continue
        own, wanted = (np.array([row["moments"] for row in some]) for some in (chosen, true))
        fid, kid = frechet_distance(own, wanted), kernel_distance(own, wanted)
        cells.append([name, f"{fid:.2f}", f"{kid:.4f}", len(chosen)])
    note = (
        "On features of fixed filters, against the true radiographs of the same feet; compare within a table of one N. "
        "FID has 30 features: 15 pictures, as in the paper, leave it a covariance of rank 14."
    )
    return ResultTable("distributions", "Distance of distributions", ["method", "FID", "KID", WORDS.cases], cells, note)


def angle_table(rows: Sequence[Row], name: str, by: str, title: str = "Keypoints and angles") -> ResultTable:
    """Errors of keypoints and angles for each value of an entry."""
    cells = []
    for value in distinct(rows, by):
        chosen = [row for row in where(rows, **{by: value}) if "hva_true" in row]
        if not chosen:
            continue
        people = [str(row["participant"]) for row in chosen]
        distances = [row["keypoints_mm"] for row in chosen if "keypoints_mm" in row]
        line: list[Any] = [value, f"{np.median(distances):.2f}" if distances else "-"]
        for angle in ANGLES:
            read, true = column(chosen, angle), column(chosen, f"{angle}_true")
            r = correlation(read, true)
            line += [
                mean_cell(summarize(column(chosen, f"{angle}_error"), people), 2),
                "-" if r is None else f"{r:.2f}",
            ]
            line.append(_bias(read, true))
        cells.append([*line, len(chosen)])
    head = [by, "keypoints, median mm"]
    for angle in ("HVA", "IMA"):
        head += [f"{angle} mean absolute error, degrees", f"{angle} r", f"{angle} bias (limits of agreement)"]
    note = "Read by the keypoint finder, against the truth of the simulation; brackets: 95 % bootstrap interval."
    return ResultTable(name, title, [*head, WORDS.cases], cells, note)


def _bias(read: Sequence[float], true: Sequence[float]) -> str:
    if len(read) < 2:
        return "-"
    bias, low, high = limits_of_agreement([one - other for one, other in zip(read, true, strict=True)])
    return f"{bias:+.1f} ({low:+.1f} to {high:+.1f})"


def grade_table(rows: Sequence[Row]) -> ResultTable:
    """Agreement of severity with the truth."""
    cells = []
    for name in distinct(rows, "method"):
        chosen = [row for row in where(rows, method=name) if "hva_true" in row]
        line: list[Any] = [name]
        for angle in ANGLES:
            read, true = ([grade(row[key], angle) for row in chosen] for key in (angle, f"{angle}_true"))
            kappa = weighted_kappa(read, true, len(GRADES))
            equal = np.mean([one == other for one, other in zip(read, true, strict=True)]) if chosen else np.nan
            line += ["-" if kappa is None else f"{kappa:.2f}", f"{equal:.2f}"]
        cells.append([*line, len(chosen)])
    note = (
        "Quadratic weights. Normal, mild, moderate, severe: hallux valgus angle below 15, 30, 40 degrees; "
        "intermetatarsal angle below 9, 13, 20."
    )
    head = ["method", "HVA kappa", "HVA share equal", "IMA kappa", "IMA share equal", WORDS.cases]
    return ResultTable("severity", "Severity", head, cells, note)


def group_tables(rows: Sequence[Row]) -> list[ResultTable]:
    """Errors of the bundle by skin tone and by severity."""
    mains = [name for name in distinct(rows, "method") if name != TRUE]
    chosen = where(rows, method=mains[0]) if mains else []
    order: Mapping[str, Sequence[str]] = {"tone": tuple(TONES), "severity": GRADES}
    return [
        condition_table(
            sorted(chosen, key=lambda row, by=by, names=names: names.index(row[by])),  # type: ignore[misc]
            f"by_{by}", f"{mains[0]} by {by}", FOOT_MEASURES, by=by,
        )
        for by, names in order.items()
        if chosen and all(by in row for row in chosen)
    ]  # fmt: skip


def _tests(rows: Sequence[Row]) -> list[ResultTable]:
    """The bundle against every other method, paired by foot; p corrected after Holm for each measure."""
    reserved = (TRUE, SKIN, *AGAIN.values())
    methods = [name for name in distinct(rows, "method") if name not in reserved]
    if len(methods) < 2:
        return []
    main, *others = methods
    people, cells = participants_of(rows), []
    for measure_name, heading in {**IMAGE_MEASURES, "kcc": "KCC", "hva_error": "HVA error"}.items():
        own = mean_by_case(where(rows, method=main), measure_name)
        found = {
            other: each
            for other in others
            if (each := difference(own, mean_by_case(where(rows, method=other), measure_name)))
        }
        p = holm(
            {
                other: paired_p_value(list(each.values()), [people[case] for case in each])
                for other, each in found.items()
            }
        )
        cells += [[heading, main, other, f"{np.mean(list(found[other].values())):+.4f}", p[other]] for other in p]
    note = "Sign-flip test by participant, corrected after Holm within a measure."
    head = ["measure", "method", "against", "mean difference", "p"]
    return [ResultTable("comparison_tests", "Paired tests", head, cells, note)]


def scatter(by: str) -> Callable[[Sequence[Row]], Any]:
    """Angles as read over the true ones, a panel for each value of an entry."""

    def draw(rows: Sequence[Row]) -> Any:
        values = [value for value in distinct(rows, by) if any("hva_true" in row for row in where(rows, **{by: value}))]
        figure, panels = new_figure(max(len(values), 1), 3.0, 3.2)
        for panel, value in zip(panels, values, strict=False):
            chosen = where(rows, **{by: value})
            for place, (angle, (name, _)) in enumerate(ANGLES.items()):
                panel.scatter(
                    column(chosen, f"{angle}_true"), column(chosen, angle), s=8, color=COLORS[place], label=name
                )
            panel.plot([0, 55], [0, 55], color="black", linewidth=0.8, linestyle="--")
            panel.set(xlim=(0, 55), ylim=(-5, 65), xlabel="true angle, degrees", title=str(value))
            panel.title.set_fontsize(8)
        panels[0].set_ylabel("angle read, degrees")
        panels[0].legend(fontsize=7, frameon=False)
        return figure

    return draw


def _sheet(setting: FootSetting, rows: Sequence[Row], case_of: Callable[[str], FootCase]) -> Any:
    """Photograph, true radiograph, what each method makes of it; keypoints as dots on true and generated ones."""
    names = list(dict.fromkeys(str(row["case"]) for row in rows))[:_SHOWN]
    if not names:
        return None
    methods = [name for name, each in setting.methods.items() if name != "photograph itself"]
    figure, _ = new_figure(1, 1.7 * (len(methods) + 3), 1.75 * len(names))
    figure.clear()
    grid = figure.subplots(len(names), len(methods) + 3, squeeze=False)
    for number, name in enumerate(names):
        case = case_of(name)
        bundle = setting.drawn(case, 2)
        shown = [("photograph", case.photograph), (TRUE, case.radiograph), (setting.main, bundle[0])]
        shown.append((f"{setting.main}, another sample", bundle[-1]))
        shown += [
            (other, generate(setting.methods[other], case.given(), 1, setting.seed)[0])
            for other in methods
            if other != setting.main
        ]
        for panel, (title, picture) in zip(grid[number], shown, strict=True):
            panel.imshow(picture, cmap="gray", vmin=0, vmax=1)
            panel.set_axis_off()
            if number == 0:
                panel.set_title(title.replace(", ", ",\n"), fontsize=6)
            if title != "photograph":
                points = setting.find(picture).points
                panel.scatter(points[:, 1], points[:, 0], s=2, color=COLORS[1], linewidths=0)
    return figure


def _angles(rows: Sequence[Row]) -> Any:
    """The scatter of the truth, the bundle, the nearest photograph, the ceiling and what the skin tells."""
    main = next((row["method"] for row in rows if row["method"] != TRUE), TRUE)
    shown = (TRUE, main, "nearest photograph", AGAIN[0.0], SKIN)
    return scatter("method")([row for row in rows if row["method"] in shown])


COMPARISON: Final = Study(
    "comparison", "Methods compared", (TEST,), {"cpu": 200, "full": 500}, measure, work, tables,
    compares=True, before_methods=(TRUE,), after_methods=(*AGAIN.values(), SKIN),
    figures=(Figure("angles", "Angles as read over the true ones.", _angles),),
    sheets=(PictureSheet("radiographs", "Photograph, true and generated radiographs with keypoints.", _sheet),),
)  # fmt: skip
