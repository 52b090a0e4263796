"""The Slicer module's own code, with Slicer, Qt, CTK and VTK as stand-ins that note what they are asked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import pytest

MODULE = Path(__file__).parents[2] / "monai_xray2mri" / "label" / "slicer_module" / "Xray2MRI"
INFO = {
    "models": {"xray2mri": {"config": {"steps": 50, "samples": 1, "pixel_mm": 0.0}}, "deepedit": {"config": {}}},
    "disclaimer": "SYNTHETIC by the server",
}


class Base:
    """Stands for Slicer's base classes."""

    def __init__(self, parent: Any = None) -> None:
        self.layout = MagicMock()

    def setup(self) -> None:
        pass


class Matrix:
    """From voxel indices to RAS: columns to the left, rows to the back, 2 mm."""

    def MultiplyPoint(self, point: tuple[float, ...]) -> tuple[float, ...]:  # noqa: N802
        column, row, plane, one = point
        return -2 * column, -2 * row, plane, one


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    slicer, vtk = MagicMock(), MagicMock()
    slicer.app.temporaryPath = str(tmp_path)
    vtk.vtkMatrix4x4, vtk.vtkVector3d = Matrix, lambda *values: values
    loadable = ModuleType("slicer.ScriptedLoadableModule")
    for name in ("ScriptedLoadableModule", "ScriptedLoadableModuleLogic", "ScriptedLoadableModuleWidget"):
        setattr(loadable, name, type(name, (Base,), {}))
    qt = MagicMock()
    for widget in ("QLabel", "QSpinBox", "QCheckBox"):
        getattr(qt, widget).side_effect = lambda *_: MagicMock()  # each its own
    fakes = {"slicer": slicer, "vtk": vtk, "qt": qt, "ctk": MagicMock()}
    for name, fake in {**fakes, "slicer.ScriptedLoadableModule": loadable}.items():
        monkeypatch.setitem(sys.modules, name, fake)
    monkeypatch.syspath_prepend(MODULE)
    import Xray2MRI

    yield Xray2MRI
    for name in ("Xray2MRI", "Xray2MRILib", "Xray2MRILib.server"):
        sys.modules.pop(name, None)


def result(**values: Any) -> Any:
    from Xray2MRILib import SyntheticImage

    known: dict[str, Any] = {"uncertainty": None, "provenance": {}, "landmarks": {}, "measurements": {}}
    return SyntheticImage(**{"volume": "picture.nrrd", "side": "L", "warning": "SYNTHETIC", **known, **values})


def test_landmarks_of_a_picture_become_markups(module: ModuleType) -> None:
    logic, slicer = module.Xray2MRILogic(), module.slicer
    slicer.util.loadVolume.return_value.GetImageData.return_value.GetDimensions.return_value = (256, 256, 1)
    logic.show(result(landmarks={"hallux tip": [10.0, 20.0, 0.0]}))
    node = slicer.mrmlScene.AddNewNodeByClass.return_value
    node.AddControlPoint.assert_called_once_with((-20.0, -40.0, 0.0), "hallux tip")
    layout = slicer.app.layoutManager.return_value.setLayout
    layout.assert_called_once_with(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)


def test_a_volume_is_shown_in_three_planes_with_its_uncertainty(module: ModuleType) -> None:
    logic, slicer = module.Xray2MRILogic(), module.slicer
    slicer.util.loadVolume.return_value.GetImageData.return_value.GetDimensions.return_value = (64, 64, 50)
    logic.show(result(uncertainty="std.nrrd"))
    assert [call.args[0] for call in slicer.util.loadVolume.call_args_list] == ["picture.nrrd", "std.nrrd"]
    layout = slicer.app.layoutManager.return_value.setLayout
    layout.assert_called_once_with(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    slicer.mrmlScene.AddNewNodeByClass.assert_not_called()


def test_the_panel_sends_what_is_chosen_and_tells_what_was_measured(module: ModuleType, tmp_path: Path) -> None:
    from Xray2MRILib import Server

    client = MagicMock()
    client.info.return_value = INFO
    client.infer.return_value = ("picture.nrrd", {"side": "R", "measurements": {"hallux valgus angle": "21 degrees"}})
    panel = module.Xray2MRIWidget()
    panel.setup()
    panel.logic.server = Server(client, str(tmp_path))
    panel.logic.server.connect()
    assert panel.logic.server.models == ["xray2mri"]
    panel.onModel("xray2mri")
    assert panel.pixelMm.enabled and not panel.slices.enabled
    panel.path.currentPath, panel.side.currentData, panel.pixelMm.value = "photo.png", "R", 0.5
    panel.model.currentText, panel.samples.value = "xray2mri", 8
    panel.onRun()
    sent = client.infer.call_args
    assert sent.kwargs["file"] == "photo.png" and sent.args[0] == "xray2mri"
    assert sent.args[2]["pixel_mm"] == 0.5 and sent.args[2]["side"] == "R" and sent.args[2]["features"] == {}
    assert panel.measured.text == "hallux valgus angle: 21 degrees" and panel.warning.text == "SYNTHETIC by the server"
