from __future__ import annotations

import pytest

from monai_xray2mri.errors import UsageError
from monai_xray2mri.simulation.knee.film.film_options import FilmOptions
from monai_xray2mri.types import Side


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"pixel_mm": 0.05}, "pixel size"),
        ({"bits": 16}, "stored bits"),
        ({"photometric": "RGB"}, "photometric"),
        ({"modality": "MR"}, "modality"),
        ({"border": "grey"}, "border"),
        ({"rotation_deg": 40.0}, "rotation"),
        ({"quarter_turns": 4}, "quarter turns"),
        ({"modality": "DX", "orientation_told": False}, "orientation"),
        ({"fault": "fogged"}, "fault"),
        ({"grid": 0.5}, "grid"),
        ({"dust": -1}, "dust"),
        ({"scratches": -2}, "scratches"),
        ({"beads": "many"}, "beads"),
        ({"text": "NAME"}, "text"),
        ({"hardware": {Side.LEFT: "watch"}}, "hardware"),
    ],
)
def test_impossible_options_are_refused_by_name(wrong, named):
    with pytest.raises(UsageError, match=f"film option {named}: must .*found: ") as refused:
        FilmOptions(**wrong)
    if named == "rotation":
        assert "found: 40.0" in str(refused.value) and "set its quarter turns" in str(refused.value)
