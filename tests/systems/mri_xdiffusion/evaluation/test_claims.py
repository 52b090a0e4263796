"""The table of claims follows from rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.systems.mri_xdiffusion.evaluation.claims import CLAIMS, claims_table
from monai_xray2mri.systems.mri_xdiffusion.evaluation.joint import PARTS
from monai_xray2mri.systems.mri_xdiffusion.evaluation.methods import PriorMethod
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import VolumeSetting
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies import given, slices


def verdict(rows: dict[str, list[Row]], setting: VolumeSetting, words: str) -> str:
    table = claims_table(rows, setting)
    assert table is not None
    (line,) = [line for line in table.rows if words in line[0]]
    return str(line[-1])


def six(**entries: Any) -> list[Row]:
    """Rows of six volumes; a number grows from volume to volume."""
    return [
        {
            "case": str(n), "participant": str(n),
            **{name: value + n if isinstance(value, float) else value for name, value in entries.items()},
        }
        for n in range(6)
    ]  # fmt: skip


def test_claims_follow_from_rows(setting: VolumeSetting) -> None:
    psnr = {"5 views, mean": 21.0, "1 views, mean": 20.0, "5 samples of one view, mean": 21.0, "5 views, max": 22.0}
    seen = [
        {"case": str(n), "participant": str(n), "views": name, "psnr": value + n}
        for n in range(6)
        for name, value in psnr.items()
    ]
    volumes = [
        {
            "case": str(n), "participant": str(n), "condition": "X-Diffusion, 1",
            **{f"{part}_true_ml": 50.0 for part in PARTS}, **{f"{part}_ml": 50.1 + n / 50 for part in PARTS},
            "fat_true_ml": 500.0 + 20 * n, "fat_ml": 450.0 + 19 * n + n % 2, "line_true": n / 2, "line": 3 - n / 2,
        }
        for n in range(6)
    ]  # fmt: skip
    table = claims_table({"cone_views": seen, "anatomy": volumes}, setting)
    assert table is not None and len(table.rows) == len(CLAIMS)
    verdicts = {row[0]: row[-1] for row in table.rows}
    assert verdicts["five views are better than one"] == "holds"
    assert verdicts["five views are better than five samples of one view"] == "not decided"
    assert verdicts["the mean of views is better than their maximum"] == "does not hold"
    assert verdicts["volumes of structures are kept, from one slice"] == "holds"
    assert verdicts["subcutaneous fat is kept, from one slice: r above 0.9"] == "holds"
    assert verdicts["the joint keeps its angle, from one slice: r above 0.89 (for spine curvature)"] == "does not hold"
    assert verdicts["absent lesions are shown more often than in true volumes (share)"] == "not measured"
    assert claims_table({}, setting) is None


@pytest.mark.parametrize(
    ("words", "study", "first", "second", "entries"),
    [
        ("better than an MLP", "cone_slices", "mean_product", "mlp", {"slices": "10"}),
        ("better than their product", "cone_slices", "tokens", "mean_product", {"slices": "10"}),
        ("must be told", "cones", "tokens", "untold", {"condition": "1 slice beside the middle"}),
        ("than three planes", "cones", "all_directions", "planes", {"condition": "1 slice"}),
        ("pretrained weights", "comparison", "pretrained", "scratch", {"condition": "1 slice"}),
        ("every second slice", "cone_slices", "small", "interpolation", {"slices": slices.DENSE}),
    ],
)  # fmt: skip
def test_claims_about_entered_methods_compare_them_by_name(
    setting: VolumeSetting, words: str, study: str, first: str, second: str, entries: dict[str, Any]
) -> None:
    better, worse = (six(method=first, psnr=psnr, **entries) for psnr in (21.0, 19.0))
    others = six(method=second, psnr=20.0, **entries)
    assert verdict({study: better + others}, setting, words) == "holds"
    assert verdict({study: worse + others}, setting, words) == "does not hold"
    elsewhere = [{**row, **dict.fromkeys(entries, "something else")} for row in better + others]
    unasked = {
        study: elsewhere,
        "cone_views": six(views="1 views, mean", psnr=1.0) + six(views="5 views, mean", psnr=2.0),
    }
    assert verdict(unasked, setting, words) == "not measured"


@pytest.mark.parametrize(
    ("words", "study", "entries", "more", "less"),
    [
        ("one slice: better than ScoreMRI", "cones", {"condition": "1 slice"}, "holds", "does not hold"),
        ("a dense input", "cone_slices", {"slices": slices.DENSE}, "does not hold", "holds"),
    ],
)  # fmt: skip
def test_the_published_baselines_are_all_held_against_the_bundle(
    setting: VolumeSetting, words: str, study: str, entries: dict[str, Any], more: str, less: str
) -> None:
    prior = PriorMethod(setting.bundle, "cones", {})
    both = replace(setting, methods={**setting.methods, "scoremri": prior, "tpdm": prior})
    own = six(method=setting.main, psnr=20.0, **entries)
    for psnr, wanted in ((19.0, more), (21.0, less)):
        rows = own + six(method="scoremri", psnr=psnr, **entries) + six(method="tpdm", psnr=psnr, **entries)
        assert verdict({study: rows}, both, words) == wanted
    one_only = own + six(method="scoremri", psnr=19.0, **entries) + six(method="tpdm", psnr=21.0, **entries)
    assert verdict({study: one_only}, both, words) == "does not hold"
    assert claims_table({study: own}, both) is None  # nothing was measured of any claim


def test_a_plateau_is_an_equivalence(setting: VolumeSetting) -> None:
    for gain, wanted in ((0.01, "holds"), (0.5, "does not hold")):
        rows = six(condition="800 steps", psnr=20.0) + six(condition="1000 steps", psnr=20.0 + gain)
        assert verdict({"sampler": rows}, setting, "1,000 steps are as good as 800") == wanted


def test_a_projection_is_held_against_the_mean_volume(setting: VolumeSetting) -> None:
    rows = six(condition=f"X-Diffusion, {given.PROJECTION}", psnr=18.0, psnr_mean8=19.0)
    rows += six(condition="mean volume", psnr=20.0)
    assert verdict({"projection": rows}, setting, "a projection in the place") == "does not hold"
