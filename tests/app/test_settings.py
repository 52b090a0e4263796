"""Options and environment variables of the app."""

from __future__ import annotations

import pytest

VARIABLES = {
    "HOLOSCAN_INPUT_PATH": "study", "HOLOSCAN_OUTPUT_PATH": "results", "HOLOSCAN_MODEL_PATH": "net",
    "XRAY2MRI_SIDE": "left", "XRAY2MRI_SEED": "7", "XRAY2MRI_STEPS": "3", "XRAY2MRI_FEATURES": "f.json",
    "XRAY2MRI_SAMPLES": "4", "XRAY2MRI_SAMPLE_SERIES": "1", "XRAY2MRI_PARAMETRIC_MAP": "1",
    "XRAY2MRI_OAI_TABLE": "t.txt", "XRAY2MRI_CODES": "c.json", "XRAY2MRI_WIDTH_MM": "95",
    "XRAY2MRI_LABEL": "none", "XRAY2MRI_DEVICE": "cpu", "XRAY2MRI_ALLOW_PARTIAL": "yes", "XRAY2MRI_LOG_LEVEL": "error",
    "XRAY2MRI_FORCE": "on", "XRAY2MRI_NO_ESTIMATE": "1",
}  # fmt: skip
OPTIONS = [
    "-i", "a", "-o", "b", "-m", "c", "-w", "w", "-l", "warn", "--side", "R", "--seed", "1", "--steps", "2",
    "--features", "g.json", "--samples", "2", "--sample-series", "--parametric-map", "--oai-table", "u.txt",
    "--codes", "d.json", "--width-mm", "96",
    "--label", "corner", "--device", "auto", "--allow-partial", "--force", "--no-estimate",
]  # fmt: skip


@pytest.fixture
def settings(app_package):
    import settings

    return settings


def flat(found):
    """All settings by name, those of the system and of the outputs among them, as far as they are given or decided."""
    values = {**vars(found), **found.request, **found.sampling, **vars(found.outputs)}
    shown = {name: value if isinstance(value, bool) else str(value) for name, value in values.items()}
    return {name: value for name, value in shown.items() if name not in ("request", "sampling", "outputs")}


DEFAULTS = {
    "side": "None", "features": "None", "codes": "None", "oai_table": "None", "width_mm": "None",
    "pixel_spacing": "None", "assume_spacing": False, "force": False, "estimate": True,
    "seed": "0", "samples": "1", "steps": "None", "slices": "None", "guidance": "None", "feature_guidance": "None",
    "eta": "None", "noise_shared": "None", "noise_length_mm": "None", "noise_aspect": "None", "dtype": "auto",
    "chunk": "25", "fast": False, "decoder": "large",
    "label": "corner", "nifti": False, "sample_series": False, "parametric_map": False,
}  # fmt: skip


def test_defaults(settings, bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert flat(settings.read_settings([])) == DEFAULTS | {
        "input": "input", "output": "output", "bundle": str(bundle), "device": "auto", "allow_partial": False,
        "log_level": "INFO",
    }  # fmt: skip


def test_environment_variables_are_read_and_options_win(settings, monkeypatch):
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    assert flat(settings.read_settings([])) == DEFAULTS | {
        "input": "study", "output": "results", "bundle": "net", "side": "L", "seed": "7", "steps": "3",
        "samples": "4", "sample_series": True, "parametric_map": True, "oai_table": "t.txt",
        "features": "f.json", "codes": "c.json", "width_mm": "95.0",
        "label": "none", "device": "cpu", "allow_partial": True, "log_level": "ERROR",
        "force": True, "estimate": False,
    }  # fmt: skip
    assert flat(settings.read_settings(OPTIONS)) == DEFAULTS | {
        "input": "a", "output": "b", "bundle": "c", "side": "R", "seed": "1", "steps": "2",
        "samples": "2", "sample_series": True, "parametric_map": True, "oai_table": "u.txt",
        "features": "g.json", "codes": "d.json", "width_mm": "96.0",
        "label": "corner", "device": "auto", "allow_partial": True, "log_level": "WARN",
        "force": True, "estimate": False,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["XRAY2MRI_SIDE", "XRAY2MRI_SEED", "XRAY2MRI_LABEL", "XRAY2MRI_LOG_LEVEL"])
def test_a_malformed_variable_is_a_usage_error(settings, monkeypatch, capsys, name):
    monkeypatch.setenv(name, "nonsense")
    with pytest.raises(SystemExit) as end:
        settings.read_settings([])
    assert end.value.code == 2 and "nonsense" in capsys.readouterr().err


@pytest.mark.parametrize("models", [("knee_xray2mri",), ("other",), ("knee_xray2mri", "other")])
def test_the_bundle_of_a_models_folder_is_found(settings, tmp_path, monkeypatch, models):
    for name in models:
        (tmp_path / "models" / name / "configs").mkdir(parents=True)
    expected = tmp_path / "models" / models[0]
    assert settings.find_bundle(expected) == expected
    assert settings.find_bundle(tmp_path / "models") == expected
    monkeypatch.chdir(tmp_path)
    assert settings.find_bundle(None).resolve() == expected


def test_a_folder_without_or_with_several_bundles_is_left_to_the_loader(settings, tmp_path):
    assert settings.find_bundle(tmp_path) == tmp_path
    for name in ("one", "two"):
        (tmp_path / name / "configs").mkdir(parents=True)
    assert settings.find_bundle(tmp_path) == tmp_path
