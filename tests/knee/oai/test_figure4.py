"""Fig. 4 as tables and picture."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_xray2mri.knee.oai.figure4 import NO_MATPLOTLIB, sequence_group, write_figure4

COUNTS = {
    "COR_T1_3D_FLASH_RIGHT": Counter({80: 5, 79: 1}),
    "COR_IW_TSE_LEFT": Counter({35: 2}),
    "AX_MPR_LEFT": Counter({70: 1}),
}


@pytest.mark.parametrize(
    ("description", "group"),
    [
        ("COR_T1_3D_FLASH_RIGHT", "T1"),
        ("AX_T1_THIGH", "T1"),
        ("SAG_IW_TSE_LEFT", "IW"),
        ("COR_MPR_RIGHT", "MPR"),
        ("SAG_T2_MAP_RIGHT", "other"),
        ("SAG_3D_DESS_LEFT", "other"),
        ("(no description)", "other"),
    ],
)
def test_groups_are_those_of_the_papers(description: str, group: str) -> None:
    assert sequence_group(description) == group


def test_tables_hold_counts_and_gray_values(tmp_path: Path) -> None:
    means = [[0.1, 0.5, 0.3], [0.3, 0.7, 0.5]]
    paths, _ = write_figure4(tmp_path, COUNTS, means)
    assert [path.name for path in paths[:2]] == ["figure4a_slice_counts.csv", "figure4b_grey_values.csv"]
    rows = list(csv.DictReader(paths[0].open()))
    assert [tuple(row.values()) for row in rows] == [
        ("MPR", "AX_MPR_LEFT", "70", "1"),
        ("IW", "COR_IW_TSE_LEFT", "35", "2"),
        ("T1", "COR_T1_3D_FLASH_RIGHT", "79", "1"),
        ("T1", "COR_T1_3D_FLASH_RIGHT", "80", "5"),
    ]
    gray = list(csv.DictReader(paths[1].open()))
    assert [float(row["position"]) for row in gray] == [0, 0.5, 1]
    np.testing.assert_allclose([float(row["mean"]) for row in gray], [0.2, 0.6, 0.4])
    np.testing.assert_allclose([float(row["sd"]) for row in gray], 0.1)
    np.testing.assert_allclose([float(row["p50"]) for row in gray], [0.2, 0.6, 0.4])


def test_the_picture_is_drawn_where_matplotlib_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra 'evaluation' is not installed")
    paths, remark = write_figure4(tmp_path, COUNTS, [[0.1, 0.5, 0.3], [0.3, 0.7, 0.5]])
    assert paths[-1] == tmp_path / "figure4.png" and remark == ""
    picture = np.asarray(Image.open(paths[-1]).convert("L"))
    assert picture.shape == (480, 1200) and picture.std() > 10


def test_nothing_to_show_gives_empty_tables(tmp_path: Path) -> None:
    paths, _ = write_figure4(tmp_path, {}, [])
    assert [len(path.read_text().splitlines()) for path in paths[:2]] == [1, 1]


def test_without_matplotlib_the_tables_are_written_and_the_extra_is_named(tmp_path: Path) -> None:
    # A process in which matplotlib cannot be imported, as where the extra is not installed.
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from pathlib import Path\n"
        "from collections import Counter\n"
        "from monai_xray2mri.knee.oai.figure4 import write_figure4\n"
        f"paths, remark = write_figure4(Path({str(tmp_path)!r}), {{'T1': Counter([80])}}, [[0.1, 0.2]])\n"
        "print(len(paths), remark)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert answer == f"2 {NO_MATPLOTLIB}"
    assert not (tmp_path / "figure4.png").exists()
