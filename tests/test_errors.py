"""Errors that users see."""

from __future__ import annotations

import pickle

import pytest

from monai_xray2mri.errors import InputRefused, NotAKnee, UsageError, WeightsError


@pytest.mark.parametrize("kind", [InputRefused, NotAKnee, UsageError, WeightsError])
def test_an_error_survives_the_way_out_of_a_worker_process(kind: type[InputRefused]) -> None:
    error = kind("radiograph film.dcm", "needs a pixel spacing", "none", "Name one.")
    came_out = pickle.loads(pickle.dumps(error))
    assert type(came_out) is kind
    assert str(came_out) == str(error) == "radiograph film.dcm: needs a pixel spacing (found: none). Name one."
    assert came_out.exit_code == error.exit_code
