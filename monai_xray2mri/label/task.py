"""Synthesis as an inference task of MONAI Label: one at a time, with its progress in the log."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType

from monai_xray2mri.core.stored_values import FULL_SCALE
from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.label.request import SynthesisRequest, read_request, truth_of
from monai_xray2mri.label.store import study_of, uncertainty_name, volume_name
from monai_xray2mri.label.volume_file import EXTENSIONS, write_volume
from monai_xray2mri.systems.knee_xray2mri.plan import KneeCase, plan_study
from monai_xray2mri.systems.knee_xray2mri.predictor import Xray2MRI
from monai_xray2mri.types import Side, Volume

logger = logging.getLogger(__name__)

MODEL = "xray2mri"
"""Name of the only model of the app."""


class SynthesisTask(InferTask):
    """A radiograph to a synthetic MR volume.

    Args:
        predictor: the loaded model.
        datastore: where reports are looked for and uncertainty is put.
    """

    def __init__(self, predictor: Xray2MRI, datastore: Datastore) -> None:
        network = predictor.network
        super().__init__(
            type=InferType.OTHERS,
            labels=[],
            dimension=3,
            description=f"Synthetic knee MR volume from a radiograph ({predictor.bundle}). {DISCLAIMER}",
            config={
                "side": ["", "R", "L"],
                "steps": network.settings.steps,
                "slices": network.slices,
                "samples": 1,
                "seed": 0,
                "guidance": network.settings.guidance,
                "assume_spacing": False,
                "force": False,
                "estimate": True,
                "result_extension": list(EXTENSIONS),
                "result_dtype": list(FULL_SCALE),
            },
        )
        self.predictor, self.datastore = predictor, datastore
        self._turn = Lock()

    def is_valid(self) -> bool:
        """Whether it can be used; the model is loaded already."""
        return True

    def __call__(self, request: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Synthesize the knee of ``request["image"]``, a file.

        All checks come before the wait for an earlier request.

        Args:
            request: with the parameters of :func:`~monai_xray2mri.label.request.read_request`; ``save_image`` puts the
                volume back into the datastore, too.

        Returns:
            The file of the volume, which the caller removes, and what belongs to it, as JSON: ``side``, ``disclaimer``,
            ``provenance``, ``full_scale``; the names in the datastore of ``uncertainty`` (from two samples on) and
            ``volume``.

        Raises:
            InputRefused: the radiograph cannot be used.
            UsageError: a parameter is out of range.
        """
        wanted = read_request(request)
        wanted.options.check(self.predictor.network.schedule.steps)
        radiograph = Path(request["image"])
        name, inside = self._name_of(radiograph)
        case = self._case(radiograph, wanted, inside)
        with self._turn:
            result = self.predictor.synthesize(case, wanted.options, self._progress(case, wanted))
        answer: dict[str, Any] = {
            "label_names": {},
            "side": str(case.side),
            "disclaimer": DISCLAIMER,
            "full_scale": FULL_SCALE[wanted.dtype],
            "provenance": dict(result.provenance),
        }
        if result.uncertainty is not None:
            answer["uncertainty"] = self._keep(result.uncertainty, uncertainty_name(name, case.side), wanted)
        if truth_of(request.get("save_image"), "save_image"):
            answer["volume"] = self._keep(result.volume, volume_name(name, case.side), wanted)
        with tempfile.NamedTemporaryFile(suffix=wanted.extension, delete=False) as file:
            return str(write_volume(Path(file.name), result.volume, wanted.dtype)), answer

    def sides(self, radiograph: Path, request: Mapping[str, Any]) -> tuple[Side, ...]:
        """The knees of a radiograph that can be synthesized, right before left.

        Raises:
            InputRefused: none.
        """
        return tuple(case.side for case in self._cases(radiograph, read_request(request), inside=True))

    def _cases(self, radiograph: Path, wanted: SynthesisRequest, inside: bool) -> tuple[KneeCase, ...]:
        plan = plan_study(
            study_of(radiograph, radiograph.parent if inside else None),
            side=wanted.side,
            features=None if wanted.features is None else dict.fromkeys(Side, wanted.features),
            region_mm=self.predictor.network.region_mm,
            assume_spacing=wanted.assume_spacing,
            force=wanted.force,
            estimate=wanted.estimate,
        )
        return plan.cases

    def _case(self, radiograph: Path, wanted: SynthesisRequest, inside: bool) -> KneeCase:
        cases = self._cases(radiograph, wanted, inside)
        if len(cases) > 1:
            raise InputRefused("radiograph", "shows both knees", "no side", "Choose the side: R or L.")
        return cases[0]

    def _name_of(self, radiograph: Path) -> tuple[str, bool]:
        """How results are named, and whether the radiograph is in the datastore; an uploaded one has its digest."""
        file = radiograph.resolve()
        for name in self.datastore.list_images():
            if Path(self.datastore.get_image_uri(name)) == file:
                return name, True
        return "upload_" + hashlib.sha256(file.read_bytes()).hexdigest()[:12], False

    def _keep(self, volume: Volume, name: str, wanted: SynthesisRequest) -> str:
        with tempfile.TemporaryDirectory() as folder:
            file = write_volume(Path(folder) / f"{name}.nrrd", volume, wanted.dtype)
            return str(self.datastore.add_image(name, str(file), {}))

    def _progress(self, case: KneeCase, wanted: SynthesisRequest) -> ProgressLog:
        slices = wanted.options.slices or self.predictor.network.slices
        return ProgressLog(f"{case.side.word} knee", slices * wanted.options.samples)


class ProgressLog:
    """Tells the log how far a synthesis is, at every tenth.

    Args:
        what: is being made.
        total: its number of slices.
    """

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0

    def __call__(self, slices: int) -> None:
        """Count slices that have been finished."""
        before, self.done = self.done, self.done + slices
        if before * 10 // self.total != self.done * 10 // self.total:
            logger.info("Synthesis of the %s: %d of %d slices", self.what, self.done, self.total)
