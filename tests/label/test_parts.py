"""What the MONAI Label parts do without a server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from monai_xray2mri.cli import main
from monai_xray2mri.core.stored_values import FULL_SCALE
from monai_xray2mri.core.volumes import volume_affine
from monai_xray2mri.errors import ExitCode, InputRefused, OutOfMemory, UnknownName, UsageError, WeightsError
from monai_xray2mri.label.answers import answer_errors, hide_texts, status_of
from monai_xray2mri.label.request import RESULT_OPTIONS, client_options, read_request
from monai_xray2mri.label.store import UNCERTAINTY, is_result, is_source, result_name, study_of
from monai_xray2mri.label.volume_file import EXTENSIONS, write_volume
from monai_xray2mri.systems.registry import find_system
from monai_xray2mri.types import Side, Volume
from tests.label.conftest import Radiographs

KNEE = find_system("knee_xray2mri")


def test_a_request_may_hold_numbers_texts_lists_and_nothing() -> None:
    plain = read_request(KNEE, {})
    assert plain.source == KNEE.request()
    assert plain.sampling == {option.name: option.default for option in KNEE.sampling_options}
    assert (plain.extension, plain.dtype, plain.save_image) == (".nrrd", "float32", False)
    blank = {"steps": "", "samples": 0, "side": ["", "R", "L"], "assume_spacing": "false", "features": " "}
    assert read_request(KNEE, blank) == plain
    asked = read_request(
        KNEE,
        {"steps": "20", "seed": str(2**63 - 1), "guidance": "0", "slices": 12.0, "dtype": "bfloat16",
         "side": "left", "assume_spacing": 1, "force": "true", "estimate": False, "save_image": "yes",
         "features": '{"V00XRKL": "2", "XRJSM": ""}', "result_dtype": "int16", "model": "of MONAI Label"},
    )  # fmt: skip
    chosen = {"steps": 20, "seed": 2**63 - 1, "slices": 12, "dtype": "bfloat16"}
    assert asked.sampling == {**plain.sampling, **chosen}
    assert (asked.dtype, asked.save_image) == ("int16", True)
    assert asked.source == KNEE.request(
        side="L", assume_spacing=True, force=True, estimate=False, features='{"XRKL": 2}'
    )
    own = read_request(KNEE, {"codes": {"99V": {"features": {"KL": "XRKL"}}}, "width_mm": "95"}).source
    assert own.codes.features == {("KL", "99V"): "XRKL"} and own.width_mm == 95  # type: ignore[attr-defined]
    assert asked.source.features[Side.LEFT].grades["XRKL"] == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"steps": "1.5"}, "steps: must be a whole number"),
        ({"eta": "much"}, "eta: must be a number"),
        ({"side": "both"}, "side: must be one of: R, L"),
        ({"assume_spacing": "perhaps"}, "assume_spacing: must be true or false"),
        ({"result_extension": ".png"}, "result_extension: must be one of"),
        ({"features": "KL 2"}, "features: must be JSON"),
        ({"features": [1]}, "features: must map names to values"),
        ({"features": '"/etc/passwd"'}, "features: must map names to values"),
        ({"oai_table": "/etc/passwd"}, "oai_table: must be JSON"),
        ({"codes": "/etc/passwd"}, "codes: must be JSON"),
        ({"width_mm": "wide"}, "width_mm: must be a number"),
        ({"width_mm": 95, "pixel_spacing": "0.2"}, "exclude each other"),
    ],
)
def test_what_a_request_cannot_mean_is_named(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_request(KNEE, parameters)


def test_clients_see_defaults_choices_and_the_bundles_own_values() -> None:
    own = {"steps": 10, "slices": 50, "guidance": 2.0, "feature_guidance": 2.0, "eta": 0.5}
    shown = client_options((*KNEE.request_options, *KNEE.sampling_options, *RESULT_OPTIONS), own)
    assert shown["side"] == ["", "R", "L"] and shown["dtype"][0] == "auto"
    assert shown["result_extension"] == list(EXTENSIONS) and shown["result_dtype"] == list(FULL_SCALE)
    assert (shown["steps"], shown["slices"], shown["samples"], shown["seed"], shown["eta"]) == (10, 50, 1, 0, 0.5)
    assert (shown["guidance"], shown["feature_guidance"]) == (0.0, 0.0)
    assert (shown["assume_spacing"], shown["force"], shown["estimate"]) == (False, False, True)
    assert (shown["width_mm"], shown["pixel_spacing"]) == (0.0, 0.0)
    assert not {"features", "codes", "oai_table"} & set(shown)


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("dtype", FULL_SCALE)
def test_volumes_are_written_in_place(tmp_path: Path, extension: str, dtype: str) -> None:
    voxels = np.random.default_rng(0).random((4, 5, 6), dtype=np.float32)
    volume = Volume(voxels, volume_affine(6, 5, 4, 0.625, 1.5))
    image = SimpleITK.ReadImage(str(write_volume(tmp_path / f"volume{extension}", volume, dtype)))
    values = SimpleITK.GetArrayFromImage(image)
    assert str(values.dtype) == dtype
    tolerance = 0 if dtype == "float32" else 0.51 / FULL_SCALE[dtype]
    np.testing.assert_allclose(values / FULL_SCALE[dtype], voxels, atol=tolerance)
    for index in ((0, 0, 0), (5, 4, 3)):
        place = (volume.affine @ (*index, 1))[:3]
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint(index), place, atol=1e-4)


def test_the_store_tells_sources_from_reports_and_results(radiographs: Radiographs) -> None:
    for name, expected in {"right": True, "picture": True, "nifti": True, "reading": False}.items():
        assert is_source(name, getattr(radiographs, name), KNEE) is expected, name
    for name in (result_name("right", KNEE.product, "R"), result_name("right", UNCERTAINTY, "L")):
        assert is_result(name, KNEE) and not is_source(name, radiographs.nrrd, KNEE)
    assert not is_result("right", KNEE) and not is_result("right_synthetic_mri_old", KNEE)


def test_a_source_is_read_with_the_reports_of_its_study(radiographs: Radiographs, tmp_path: Path) -> None:
    with study_of(radiographs.right, radiographs.folder) as folder:
        assert {file.name for file in folder.iterdir()} == {"right.dcm", "reading.dcm"}
    assert not folder.exists()
    others = [(name, radiographs.folder) for name in ("left", "picture", "nifti", "reading")]
    for name, place in [("right", None), *others]:
        with study_of(getattr(radiographs, name), place) as source:
            assert source == getattr(radiographs, name)


def test_errors_have_their_status() -> None:
    kinds = {InputRefused: 422, UsageError: 400, UnknownName: 404, OutOfMemory: 503, WeightsError: 500}
    assert {kind: status_of(kind("a", "b")) for kind in kinds} == kinds


def test_a_server_answers_errors_with_the_reason_and_hides_texts_that_may_quote_the_input() -> None:
    fastapi = pytest.importorskip("fastapi", reason="MONAI Label has an environment of its own: make test-label")
    from fastapi.testclient import TestClient

    server = fastapi.FastAPI()
    answer_errors(server)

    @server.get("/refused")
    async def refused() -> None:
        raise InputRefused("radiograph", "needs a side", "none")

    @server.get("/failed")
    def failed() -> None:
        with hide_texts():
            raise ValueError("a name")

    client = TestClient(server)
    answers = [client.get(path) for path in ("/refused", "/failed")]
    assert [answer.status_code for answer in answers] == [422, 500]
    assert answers[0].json() == {"detail": "radiograph: needs a side (found: none)"}
    assert "unexpected ValueError in test_parts.py" in answers[1].json()["detail"]


def test_the_app_is_written_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = tmp_path / "new" / "app"
    assert main(["label-app", "--output", str(app)]) == ExitCode.DONE
    printed = capsys.readouterr()
    assert (printed.out, "monailabel.main start_server --app" in printed.err) == (f"{app}\n", True)
    assert {str(file.relative_to(app)) for file in app.rglob("*.py")} == {
        "main.py",
        "slicer_module/Xray2MRI/Xray2MRI.py",
        "slicer_module/Xray2MRI/Xray2MRILib/__init__.py",
        "slicer_module/Xray2MRI/Xray2MRILib/server.py",
    }
    assert main(["label-app", "--output", str(app)]) == ExitCode.USAGE


@pytest.mark.parametrize("word", ["monailabel.main", "monai.bundle"])
def test_pydicoms_former_module_is_found_for_monai_label_only(word: str) -> None:
    """By the line that every start of Python reads (deploy_hook.pth)."""
    program = (
        f"import sys; sys.orig_argv[1:] = ['-m', {word!r}]; import monai_xray2mri.deploy.hook\n"
        "from pydicom._storage_sopclass_uids import SegmentationStorage; print(SegmentationStorage)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    found = ended.stdout.strip() == "1.2.840.10008.5.1.4.1.1.66.4"
    assert found is (word == "monailabel.main"), ended.stderr


def test_the_slicer_modules_server_reads_reasons() -> None:
    """The text of MONAI Label's client holds the server's answer as JSON, or anything else."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "monai_xray2mri" / "label" / "slicer_module" / "Xray2MRI"))
    from Xray2MRILib.server import _reason

    message = "Status: 422; Response: " + json.dumps({"detail": "radiograph a.dcm: {odd}"})
    assert _reason(message) == "radiograph a.dcm: {odd}"
    assert _reason('Status: 422; Response: {"detail": [{"msg": "Field required"}]}') == "Field required"
    assert _reason("Status: 500; Response: Internal Server Error") == "Status: 500; Response: Internal Server Error"
