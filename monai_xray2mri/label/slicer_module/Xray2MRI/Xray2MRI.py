"""3D Slicer module: synthetic images of a MONAI Label server: knee MR of a radiograph, a foot radiograph of a photo.

Add the folder of this file in Edit, Application Settings, Modules, Additional module paths, and restart Slicer. It
needs the extension MONAILabel, whose client it uses.
"""

from __future__ import annotations

import tempfile
from typing import Any

import ctk
import qt
import slicer
import vtk
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleWidget,
)
from Xray2MRILib import WARNING, Refused, Server, Settings, Source, SyntheticImage

ADDRESS_SETTING = "Xray2MRI/serverAddress"
UNKNOWN = "unknown"


class Xray2MRI(ScriptedLoadableModule):
    """What Slicer lists."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = "Xray2MRI"
        parent.categories = ["Image Synthesis"]
        parent.dependencies = []
        parent.contributors = ["The monai_xray2mri contributors"]
        parent.helpText = f"Makes a synthetic image of a radiograph or photograph by a MONAI Label server. {WARNING}"
        parent.acknowledgementText = "Uses the client of MONAI Label."


class Xray2MRIWidget(ScriptedLoadableModuleWidget):
    """The module's panel, from top to bottom: server, source, features, settings, button, measures, warning."""

    def setup(self) -> None:
        """Build the panel."""
        ScriptedLoadableModuleWidget.setup(self)
        self.logic = Xray2MRILogic()
        self._build_server()
        self._build_source()
        self._build_features()
        self._build_settings()
        self.runButton = qt.QPushButton("Make synthetic image")
        self.runButton.enabled = False
        self.runButton.connect("clicked(bool)", self.onRun)
        self.layout.addWidget(self.runButton)
        self.measured = qt.QLabel("")
        self.measured.wordWrap = True
        self.layout.addWidget(self.measured)
        self.warning = qt.QLabel(WARNING)
        self.warning.wordWrap = True
        self.warning.styleSheet = "color: #b00020; font-weight: bold"
        self.layout.addWidget(self.warning)
        self.layout.addStretch(1)

    def onConnect(self, *_: Any) -> None:  # noqa: N802
        """Ask the server for its models and features."""
        address = self.address.text.strip()
        try:
            self.logic.connect(address)
        except Refused as refusal:
            slicer.util.errorDisplay(str(refusal))
            return
        qt.QSettings().setValue(ADDRESS_SETTING, address)
        self.model.clear()
        self.model.addItems(self.logic.server.models)
        self.warning.text = self.logic.server.warning
        self._fill_features()
        self.runButton.enabled = True

    def onModel(self, model: str) -> None:  # noqa: N802
        """Show the options of the chosen model, with its defaults."""
        for field, name in ((self.steps, "steps"), (self.samples, "samples"), (self.slices, "slices")):
            value = self.logic.server.default(model, name) if model else None
            if value is not None:
                field.value = value
        for name, field in (
            ("slices", self.slices),
            ("assume_spacing", self.assumeSpacing),
            ("pixel_mm", self.pixelMm),
        ):
            field.enabled = bool(model) and self.logic.server.knows(model, name)

    def onRun(self, *_: Any) -> None:  # noqa: N802
        """Make the image and show it. Slicer waits meanwhile; the server's window shows the progress."""
        settings = Settings(
            steps=self.steps.value, samples=self.samples.value, slices=self.slices.value, seed=self.seed.value
        )
        try:
            with slicer.util.WaitCursor():
                file = self.logic.file_of(self.volume.currentNode(), self.path.currentPath)
                options = {
                    "features": self._grades(),
                    "assume_spacing": self.assumeSpacing.checked,
                    "pixel_mm": self.pixelMm.value,
                    "force": self.force.checked,
                }
                source = Source(file, self.side.currentData, options)
                result = self.logic.server.synthesize(self.model.currentText, source, settings)
                self.logic.show(result)
        except Refused as refusal:
            slicer.util.errorDisplay(str(refusal))
            return
        self.warning.text = result.warning
        self.measured.text = "\n".join(f"{name}: {text}" for name, text in result.measurements.items())

    def _build_server(self) -> None:
        form = self._section("1. Server")
        self.address = qt.QLineEdit(qt.QSettings().value(ADDRESS_SETTING, "http://127.0.0.1:8000"))
        self.address.toolTip = "Address of the MONAI Label server, as its window shows it"
        connect = qt.QPushButton("Connect")
        connect.connect("clicked(bool)", self.onConnect)
        self.model = qt.QComboBox()
        self.model.connect("currentTextChanged(QString)", self.onModel)
        form.addRow("Address:", self.address)
        form.addRow("", connect)
        form.addRow("Model:", self.model)

    def _build_source(self) -> None:
        form = self._section("2. Radiograph or photograph")
        self.path = ctk.ctkPathLineEdit()
        self.path.filters = ctk.ctkPathLineEdit.Files
        self.path.toolTip = "DICOM, PNG or JPEG, of radiographs also NIfTI or NRRD; DICOM is best: it may hold the side"
        self.volume = slicer.qMRMLNodeComboBox()
        self.volume.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        self.volume.addEnabled = self.volume.removeEnabled = False
        self.volume.noneEnabled = True
        self.volume.setMRMLScene(slicer.mrmlScene)
        self.side = qt.QComboBox()
        for text, code in (("as the file says", ""), ("right", "R"), ("left", "L")):
            self.side.addItem(text, code)
        self.assumeSpacing = qt.QCheckBox("take a picture without pixel spacing as one knee of 110 mm")
        self.pixelMm = qt.QDoubleSpinBox()
        self.pixelMm.minimum, self.pixelMm.maximum, self.pixelMm.decimals, self.pixelMm.singleStep = 0, 5, 3, 0.05
        self.pixelMm.toolTip = "size of a pixel of a photograph at the floor in mm; 0: as the photograph tells"
        self.force = qt.QCheckBox("use the image also if the checks doubt it")
        form.addRow("File:", self.path)
        form.addRow("or loaded image:", self.volume)
        form.addRow("Side:", self.side)
        form.addRow("", self.assumeSpacing)
        form.addRow("Pixel in mm:", self.pixelMm)
        form.addRow("", self.force)

    def _build_features(self) -> None:
        form = self._section("3. Radiographic features (optional)", collapsed=True)
        self.features = qt.QTableWidget(0, 2)
        self.features.setHorizontalHeaderLabels(["Feature", "Grade"])
        self.features.horizontalHeader().setStretchLastSection(True)
        self.features.verticalHeader().visible = False
        form.addRow(self.features)

    def _build_settings(self) -> None:
        form = self._section("4. Settings", collapsed=True)
        self.steps = self._number(1, 1000, 20, "more steps take longer; the default is what the model was judged with")
        self.samples = self._number(1, 64, 1, "from two samples on, their mean is shown, with the uncertainty")
        self.slices = self._number(2, 500, 50, "slices over the modelled range of a volume")
        self.seed = self._number(0, 2**31 - 1, 0, "another seed draws another image")
        for text, field in (
            ("Steps:", self.steps),
            ("Samples:", self.samples),
            ("Slices:", self.slices),
            ("Seed:", self.seed),
        ):
            form.addRow(text, field)

    def _section(self, title: str, collapsed: bool = False) -> Any:
        button = ctk.ctkCollapsibleButton()
        button.text, button.collapsed = title, collapsed
        self.layout.addWidget(button)
        return qt.QFormLayout(button)

    @staticmethod
    def _number(low: int, high: int, value: int, tip: str) -> Any:
        field = qt.QSpinBox()
        field.minimum, field.maximum, field.value, field.toolTip = low, high, value, tip
        return field

    def _fill_features(self) -> None:
        """One row per feature that the server knows, each with its grades to choose from."""
        features = self.logic.server.features
        self.features.setRowCount(len(features))
        for row, feature in enumerate(features):
            name = qt.QTableWidgetItem(f"{feature['description']} ({feature['name']})")
            name.setFlags(qt.Qt.ItemIsEnabled)
            self.features.setItem(row, 0, name)
            grades = qt.QComboBox()
            grades.addItems([UNKNOWN, *(str(grade) for grade in range(feature["highest"] + 1))])
            self.features.setCellWidget(row, 1, grades)
        self.features.resizeColumnToContents(0)

    def _grades(self) -> dict[str, int]:
        """Feature to grade, of those that are known."""
        chosen = {}
        for row, feature in enumerate(self.logic.server.features):
            text = self.features.cellWidget(row, 1).currentText
            if text != UNKNOWN:
                chosen[feature["name"]] = int(text)
        return chosen


class Xray2MRILogic(ScriptedLoadableModuleLogic):
    """What the module does with Slicer's scene; what it asks the server is in ``Xray2MRILib``."""

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.server: Any = None
        self.folder = tempfile.mkdtemp(dir=slicer.app.temporaryPath)

    def connect(self, address: str) -> None:
        """Connect to a server.

        Raises:
            Refused: it does not answer, or the extension MONAILabel is missing.
        """
        try:
            from MONAILabelLib import MONAILabelClient
        except ImportError as error:
            raise Refused("Install the extension MONAILabel first: View, Extensions Manager.") from error
        server = Server(MONAILabelClient(address, self.folder), self.folder)
        server.connect()
        self.server = server

    def file_of(self, node: Any, path: str) -> str:
        """The source's file: the one named, else the DICOM file of a loaded image, else a copy of its pixels.

        Raises:
            Refused: neither is chosen.
        """
        if path:
            return path
        if node is None:
            raise Refused("Choose a radiograph or photograph: a file, or an image that is loaded.")
        for instance in (node.GetAttribute("DICOM.instanceUIDs") or "").split():
            if file := slicer.dicomDatabase.fileForInstance(instance):
                return file
        copy = f"{self.folder}/source.nrrd"
        if not slicer.util.saveNode(node, copy):
            raise Refused("The image could not be written to Slicer's temporary folder.")
        return copy

    def show(self, result: SyntheticImage) -> None:
        """Load image and uncertainty with the window of the intensities, and put its landmarks on it.

        A volume is shown in three planes, a picture in one.
        """
        side = {"R": " right", "L": " left"}.get(result.side, "")
        image = self._load(result.volume, f"SYNTHETIC{side}", level=0.5, window=1.0)
        uncertainty = None
        if result.uncertainty is not None:
            uncertainty = self._load(result.uncertainty, f"SYNTHETIC{side} uncertainty", level=0.1, window=0.2)
            uncertainty.GetDisplayNode().SetAndObserveColorNodeID("vtkMRMLColorTableNodeFileInferno.txt")
        layouts, picture = slicer.vtkMRMLLayoutNode, image.GetImageData().GetDimensions()[2] == 1
        layout = layouts.SlicerLayoutOneUpRedSliceView if picture else layouts.SlicerLayoutFourUpView
        slicer.app.layoutManager().setLayout(layout)
        slicer.util.setSliceViewerLayers(background=image, foreground=uncertainty, foregroundOpacity=0, fit=True)
        if result.landmarks:
            self._mark(image, result.landmarks, f"SYNTHETIC{side} landmarks")

    @staticmethod
    def _mark(image: Any, landmarks: dict[str, list[float]], name: str) -> Any:
        """Points of an image, given as voxel indices, as markups."""
        place = vtk.vtkMatrix4x4()
        image.GetIJKToRASMatrix(place)
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
        for label, index in landmarks.items():
            node.AddControlPoint(vtk.vtkVector3d(*place.MultiplyPoint((*index, 1.0))[:3]), label)
        return node

    @staticmethod
    def _load(file: str, name: str, level: float, window: float) -> Any:
        node = slicer.util.loadVolume(file, {"name": name, "singleFile": True})
        display = node.GetDisplayNode()
        display.AutoWindowLevelOff()
        display.SetWindowLevel(window, level)
        return node
