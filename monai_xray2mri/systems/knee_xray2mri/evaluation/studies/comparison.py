"""Methods against each other, as in Wang 2024a, Fig. 5 and Wang 2024b, Fig. 5, with more measures and per grade."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Final

import numpy as np

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.evaluation.bootstrap import Summary, holm, paired_p_value, summarize
from monai_xray2mri.evaluation.conformal import interval
from monai_xray2mri.evaluation.kid import kernel_distance, picture_features
from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.metrics import psnr_per_slice
from monai_xray2mri.evaluation.protocols import Method
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import Profile, ResultTable, Study, column, distinct, where
from monai_xray2mri.knee.data.arrays import SLICES
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import EvaluationKnee
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import AnotherExamination, NetworkMethod, bounds_of
from monai_xray2mri.systems.knee_xray2mri.evaluation.ruler import RANGE, KneeRuler
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import SAMPLES, KneeSetting

CEILING: Final = "the same knee examined again"
"""The row of the ceiling among those of the methods."""
TRUE: Final = "true volume"
"""The row of the true volume itself among those of the methods."""
METRICS: Final[Mapping[str, str]] = {
    "psnr": "PSNR dB",
    "psnr_mean8": "PSNR of the mean of 8, dB",
    "ssim": "SSIM",
    "rssim": "RSSIM",
    "mae": "mean absolute error",
    "adjacent_slice_correlation": "adjacent-slice correlation",
    "joint_space_width_error_mm": "joint space error mm",
    "lesion_expression": "lesions shown",
    "lesion_false_expression": "absent lesions shown",
    "coverage90": "coverage at 90 %",
}
"""Measures of ``metrics.json`` and their headings."""
MORE: Final[Mapping[str, str]] = {
    "psnr_few": "PSNR, slices of the mean of 8, dB",
    "edge_agreement": "edge agreement",
    "sobel_difference": "Sobel difference",
    "dice_femur": "Dice femur",
    "dice_tibia": "Dice tibia",
    "dice_cartilage": "Dice cartilage",
    "cartilage_error_mm": "cartilage error mm",
}
TESTED: Final = ("psnr", "ssim", "rssim", "edge_agreement", "joint_space_width_error_mm")
"""Measures that methods are tested pairwise on."""


def measure(setting: KneeSetting, knee: EvaluationKnee) -> Iterator[Row]:
    """A row for each method, one for the ceiling of a simulated knee, and one for the true volume itself.

    The row of a method whose volume cannot be used has the entry ``refused``, the reason, and no measures.
    """
    ruler = KneeRuler(knee)
    methods = setting.todo
    if setting.simulated and CEILING not in setting.done and has_ceiling(int(knee.name), setting.profile):
        methods[CEILING] = AnotherExamination()
    if TRUE not in setting.done:
        yield true_row(setting, knee, ruler)
    for name, method in methods.items():
        try:
            row = measured_row(setting, knee, method, ruler)
        except InputRefused as error:
            row = {"refused": str(error)}
        yield {"method": name, **row}


def true_row(setting: KneeSetting, knee: EvaluationKnee, ruler: KneeRuler) -> Row:
    """The true volume itself, in the measures that compare it with nothing."""
    measures = ruler.measure(knee.volume)
    return {
        "method": TRUE,
        "grade": knee.grade,
        "features": slice_features(setting, knee.volume),
        **{name: measures[name] for name in ("adjacent_slice_correlation", "depth_power")},
    }


def measured_row(setting: KneeSetting, knee: EvaluationKnee, method: Method, ruler: KneeRuler) -> Row:
    """All measures of one method on one knee."""
    few = generate(method, knee.inputs.at(setting.few), SAMPLES, setting.seed)
    whole = few[0] if setting.profile.stride == 1 else generate(method, knee.inputs, 1, setting.seed)[0]
    return {
        "grade": knee.grade,
        **ruler.measure(whole),
        **_of_samples(few, knee.volume[list(setting.few)], method),
        "features": slice_features(setting, whole),
    }


def has_ceiling(seed: int, profile: Profile) -> bool:
    """Whether a knee is examined again: one in three, in the quick suite one in five, in the profile ``full`` each.

    The nine examinations take as long as generating a volume on a CPU.
    """
    every = _every(profile)
    return seed % every == every - 1


def _every(profile: Profile) -> int:
    return 1 if profile.stride == 1 else max(3, profile.stride // 2)


def slice_features(setting: KneeSetting, volume: np.ndarray) -> list[list[float]]:
    """Features of some slices of a volume, for the kernel distance."""
    chosen = volume[list(setting.few)][:: max(1, 5 // setting.profile.stride)]  # neighbors add little
    return [[float(f"{x:.4g}") for x in one] for one in picture_features(setting.bundle.predictor.encode, chosen)]


def _of_samples(samples: np.ndarray, truth: np.ndarray, method: Method) -> Row:
    """PSNR of one sample and of the mean of all over the same slices; coverage of the interval at 90 %."""
    row: Row = {
        "psnr_few": psnr_per_slice(samples[0], truth, RANGE),
        "psnr_mean8": psnr_per_slice(samples.mean(axis=0), truth, RANGE),
        "coverage90": None,
    }
    if len(samples) > 1:
        low, high = interval(samples, *bounds_of(method))
        row["coverage90"] = float(((truth >= low) & (truth <= high)).mean())
    return row


def work(setting: KneeSetting) -> float:
    """Slices of one knee: a volume, and 8 samples of few slices, for each network."""
    return slices_drawn(setting) * sum(isinstance(method, NetworkMethod) for method in setting.todo.values())


def slices_drawn(setting: KneeSetting) -> int:
    """Slices of a knee that :func:`measured_row` asks of a method."""
    return SAMPLES * len(setting.few) + (0 if setting.profile.stride == 1 else SLICES)


def simulations(setting: KneeSetting) -> float:
    """Knees that are simulated for one, with its share of those that are examined again."""
    return 1 + (SAMPLES + 1) / _every(setting.profile)


def summaries(rows: Sequence[Row], metrics: Sequence[str] = tuple(METRICS)) -> dict[str, dict[str, Summary]]:
    """Method to measure to its summary over knees; infinite values (equal volumes) are left out."""
    found = {}
    for method in distinct(rows, "method"):
        chosen = where(rows, method=method)
        people = [str(row["participant"]) for row in chosen]
        found[method] = {name: summarize(column(chosen, name), people) for name in metrics}
    return found


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """Medians, all measures, pairwise tests, per grade, and KID."""
    return [*measure_tables(rows), *_tests(rows), _per_grade(rows), kernel_distances(rows)]


def measure_tables(rows: Sequence[Row]) -> list[ResultTable]:
    """Medians of all measures, a line for each method."""
    made = []
    groups = (("comparison", "Methods compared", METRICS), ("comparison_more", "Methods compared, more measures", MORE))
    for name, title, headings in groups:
        cells = [
            [method, *(cell(summary) for summary in found.values()), max(each.n for each in found.values())]
            for method, found in summaries(rows, tuple(headings)).items()
            if any(each.n for each in found.values())
        ]
        note = (
            "Median; in brackets the 95 % bootstrap interval of the mean over participants. Range of intensities 1. "
            "A volume that shows no joint has no joint space error: metrics.json tells the number of each measure."
        )
        made.append(ResultTable(name, title, ["method", *headings.values(), "knees"], cells, note))
    return made


def cell(summary: Summary, digits: int = 3) -> str:
    """A summary as a cell."""
    if summary.median is None or summary.ci95[0] is None or summary.ci95[1] is None:
        return "-"
    return f"{summary.median:.{digits}f} [{summary.ci95[0]:.{digits}f}, {summary.ci95[1]:.{digits}f}]"


def _tests(rows: Sequence[Row]) -> list[ResultTable]:
    methods = [name for name in distinct(rows, "method") if name not in (TRUE, CEILING)]
    cells = []
    for metric in TESTED:
        pairs = {pair: _differences(rows, pair, metric) for pair in combinations(methods, 2)}
        p = {pair: paired_p_value(differences, people) for pair, (differences, people) in pairs.items() if differences}
        corrected = holm({" / ".join(pair): value for pair, value in p.items()})
        cells += [
            [metric, first, second, f"{np.mean(pairs[first, second][0]):+.4f}", f"{value:.4f}",
             f"{corrected[f'{first} / {second}']:.4f}", len(pairs[first, second][0])]
            for (first, second), value in p.items()
        ]  # fmt: skip
    if not cells:
        return []
    note = "Sign-flip test of the mean paired difference over participants; corrected after Holm within a measure."
    head = ["measure", "first", "second", "first - second", "p", "p corrected", "knees"]
    return [ResultTable("comparison_tests", "Paired tests", head, cells, note)]


def _differences(rows: Sequence[Row], pair: tuple[str, str], metric: str) -> tuple[list[float], list[str]]:
    first, second = ({row["case"]: row for row in where(rows, method=name)} for name in pair)
    shared = [
        knee
        for knee in first
        if knee in second and np.isfinite([*column([first[knee]], metric), *column([second[knee]], metric)]).all()
    ]
    people = [str(first[knee]["participant"]) for knee in shared]
    return [float(first[knee][metric]) - float(second[knee][metric]) for knee in shared], people


def _per_grade(rows: Sequence[Row]) -> ResultTable:
    cells = []
    for grade in sorted({row["grade"] for row in rows if row.get("grade") is not None}):
        of_grade = where(rows, grade=grade)
        for method, found in summaries(of_grade, ("psnr", "ssim", "rssim", "joint_space_width_error_mm")).items():
            if method != TRUE:
                cells.append([grade, method, *map(cell, found.values()), found["psnr"].n])
    head = ["KL grade", "method", *(METRICS[m] for m in ("psnr", "ssim", "rssim", "joint_space_width_error_mm"))]
    return ResultTable("comparison_grades", "Per Kellgren-Lawrence grade", [*head, "knees"], cells)


def kernel_distances(rows: Sequence[Row]) -> ResultTable:
    """Kernel distance of each method's slices to acquired ones, whose rows are :data:`TRUE`'s."""
    features = {name: np.concatenate([row["features"] for row in where(rows, method=name)]) for name in _named(rows)}
    true = features.pop(TRUE)
    cells = [
        [name, f"{kernel_distance(found, true):.4f}", len(found)] for name, found in features.items() if len(true) > 1
    ]
    note = (
        "On features of the bundle's own autoencoder; 0 is the acquired slices' distribution. Compare within a table."
    )
    return ResultTable("comparison_kid", "Kernel distance to acquired slices", ["method", "KID", "slices"], cells, note)


def _named(rows: Sequence[Row]) -> list[str]:
    return [str(name) for name in distinct(rows, "method")]


COMPARISON: Final = Study(
    "comparison",
    "Methods compared",
    ("test",),
    {"cpu": 16, "full": 200},
    measure,
    work,
    tables,
    simulations=simulations,
    compares=True,
    before_methods=(TRUE,),
    after_methods=(CEILING,),
)


def shifted_tables(rows: Sequence[Row]) -> list[ResultTable]:
    """The tables of all measures, under the names of the shifted cohort."""
    return [
        replace(
            table, name=table.name.replace("comparison", "shifted"), title=f"Shifted cohort: {table.title}", note=""
        )
        for table in measure_tables(rows)
    ]


SHIFTED: Final = replace(
    COMPARISON,
    name="shifted",
    title="Knees outside the range of training",
    splits=("shifted",),
    cases={"cpu": 6, "full": 100},
    tables=shifted_tables,
    needs_simulation=True,
)
