"""Options that several sub-commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from monai_xray2mri.commands.options import named_system
from monai_xray2mri.systems import registry


@pytest.mark.parametrize("bundle", ["nowhere", "empty"])
def test_without_a_bundle_they_are_those_of_the_default_system(
    bundle: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whichever system that is: general commands name none."""
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(registry, "_OWN", {"first_system": "a.module", "second_system": "a.module"})
    monkeypatch.setattr(registry, "find_system", lambda name: name)
    assert named_system(["check", "film.dcm", "--bundle", str(tmp_path / bundle)]) == "first_system"
