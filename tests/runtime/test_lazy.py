"""Public names of packages: each is there, and asking for the package alone loads none of its modules."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

PACKAGES = (
    "core",
    "dicom",
    "diffusion",
    "evaluation",
    "knee.data",
    "knee.detection",
    "knee.grading",
    "knee.measures",
    "knee.oai",
    "knee.realism",
    "networks",
    "radiograph",
    "radiograph.knee",
    "simulation",
    "systems",
    "systems.knee_xray2mri",
    "training",
)


@pytest.mark.parametrize("name", PACKAGES)
def test_each_public_name_is_there(name: str) -> None:
    package = import_module(f"monai_xray2mri.{name}")
    assert sorted(package.__all__) == dir(package)
    assert all(getattr(package, public) is not None for public in package.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = package.nothing


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_alone_loads_no_module_of_it(name: str) -> None:
    code = (
        f"import sys; import monai_xray2mri.{name};"
        f"print(*(module for module in sys.modules if module.startswith('monai_xray2mri.{name}.')))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.split() == []


def test_the_room_of_the_machine_loads_torch_only_for_what_needs_it() -> None:
    code = "import sys; from monai_xray2mri.runtime import lock_folder, write_whole; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
