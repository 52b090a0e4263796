"""Definitions of networks are read as MONAI reads them, without loading it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from monai_xray2mri.core.definitions import defined_object


def write(folder: Path, content: dict) -> Path:
    path = folder / "inference.json"
    path.write_text(json.dumps(content))
    return path


def both(path: Path, name: str) -> tuple[object, object]:
    """The object as this package reads it, and as MONAI does."""
    from monai.bundle import ConfigParser

    parser = ConfigParser()
    parser.read_config(str(path))
    return defined_object(path, name), parser.get_parsed_content(name)


@pytest.mark.parametrize("bundle", ["knee_xray2mri", "knee_xray2mri_koa", "mri_xdiffusion", "foot_xray_sccdm"])
def test_networks_of_the_bundles_are_those_that_monai_makes(repository: Path, bundle: str) -> None:
    ours, monais = both(repository / "bundle" / bundle / "configs" / "inference.json", "network_def")
    assert str(ours) == str(monais)
    assert ours.settings == monais.settings
    shapes = [{name: value.shape for name, value in network.state_dict().items()} for network in (ours, monais)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    "entry",
    [
        "@size", "@sizes#1", "$2 * @size", "$[each + @size for each in @sizes]", "$0.5 if @on else -1.0", "plain", None,
        True, 3.5, ["@size", "$@size + 1"], {"a": "@size", "b": ["@sizes"]},
        {"_target_": "fractions.Fraction", "numerator": "@size", "denominator": 4},
        {"_target_": "collections.Counter", "_disabled_": True},
        {"_target_": "fractions.Fraction", "_mode_": "callable", "numerator": 3},
        "@sizes::0", "%size",
    ],
)  # fmt: skip
def test_forms_are_read_as_monai_reads_them(tmp_path: Path, entry: object) -> None:
    path = write(tmp_path, {"size": 3, "sizes": [4, 5], "on": False, "entry": entry})
    ours, monais = both(path, "entry")
    assert type(ours) is type(monais)
    if not callable(ours):
        assert ours == monais


def test_an_entry_becomes_one_object(tmp_path: Path) -> None:
    content = {"part": {"_target_": "collections.OrderedDict"}, "pair": ["@part", "@part"]}
    first, second = defined_object(write(tmp_path, content), "pair")
    assert first is second


def test_expressions_see_what_they_name_and_no_more(tmp_path: Path) -> None:
    with pytest.raises(NameError):
        defined_object(write(tmp_path, {"entry": "$Fraction(1)"}), "entry")


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, {"entry": "@nothing"})
    with pytest.raises(KeyError):
        defined_object(path, "entry")


def test_a_network_is_loaded_without_monai(repository: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from monai_xray2mri.core.bundles import load_network; "
        f"load_network(Path({str(repository / 'bundle' / 'knee_xray2mri')!r})); "
        "print([name for name in ('monai', 'ignite', 'tensorboard', 'matplotlib') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
