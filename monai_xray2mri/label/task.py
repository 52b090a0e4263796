"""A system as an inference task of MONAI Label: one case at a time, with its progress in the log."""

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

from monai_xray2mri.core.bundles import output_dimensions
from monai_xray2mri.core.stored_values import FULL_SCALE
from monai_xray2mri.core.system import Case, Marked, Plan
from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.label.request import RESULT_OPTIONS, LabelRequest, client_options, read_request
from monai_xray2mri.label.store import UNCERTAINTY, result_name, study_of
from monai_xray2mri.label.volume_file import write_volume
from monai_xray2mri.systems.registry import Loaded
from monai_xray2mri.types import Volume

logger = logging.getLogger(__name__)

MODEL = "xray2mri"
"""Name of the only model of the app."""


class SynthesisTask(InferTask):
    """A source to the volume of one of its cases.

    Args:
        loaded: the bundle, with its system.
        datastore: where reports are looked for and uncertainty is put.
    """

    def __init__(self, loaded: Loaded, datastore: Datastore) -> None:
        system, predictor = loaded.system, loaded.predictor
        options = (*system.request_options, *system.sampling_options, *RESULT_OPTIONS)
        super().__init__(
            type=InferType.OTHERS,
            labels=[],
            dimension=output_dimensions(loaded.bundle),
            description=f"{system.name}: {system.summary}; bundle {predictor.name}. {DISCLAIMER}",
            config=client_options(options, predictor.resolve().record()),
        )
        self.system, self.predictor, self.bundle, self.datastore = system, predictor, loaded.bundle, datastore
        self._turn = Lock()

    def is_valid(self) -> bool:
        """Whether it can be used; the model is loaded already."""
        return True

    def __call__(self, request: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Make the volume of ``request["image"]``, a file.

        All checks come before the wait for an earlier request.

        Args:
            request: with the parameters of :func:`~monai_xray2mri.label.request.read_request`.

        Returns:
            The file of the volume, which the caller removes, and what belongs to it, as JSON: ``side`` (the key of the
            case), ``disclaimer``, ``provenance``, ``full_scale``; ``landmarks`` and ``measurements`` where the system
            finds any; the names in the datastore of ``uncertainty`` (from
            two samples on) and ``volume`` (where it is kept).

        Raises:
            InputRefused: the source cannot be used, or holds several cases and no side chooses one.
            UsageError: a parameter is out of range.
            OutOfMemory: the device is too small.
        """
        wanted = read_request(self.system, request)
        sampling = self.predictor.resolve(**wanted.sampling)
        source = Path(request["image"])
        name, inside = self._name_of(source)
        case = self._plan(source, wanted, inside).only()
        with self._turn:
            progress = ProgressLog(case.title, self.predictor.work(sampling), self.system.work_unit)
            result = self.predictor.predict(case, sampling, progress)
        answer: dict[str, Any] = {
            "label_names": {},
            "side": case.key,
            "disclaimer": DISCLAIMER,
            "full_scale": FULL_SCALE[wanted.dtype],
            "provenance": dict(result.provenance),
        }
        if isinstance(result, Marked):
            answer["landmarks"] = {point: list(place) for point, place in result.landmarks.items()}
            answer["measurements"] = dict(result.measurements)
        if result.uncertainty is not None:
            kept = result_name(name, UNCERTAINTY, case.key)
            answer["uncertainty"] = self._keep(result.uncertainty, kept, wanted)
        if wanted.save_image:
            answer["volume"] = self._keep(result.volume, result_name(name, self.system.product, case.key), wanted)
        with tempfile.NamedTemporaryFile(suffix=wanted.extension, delete=False) as file:
            return str(write_volume(Path(file.name), result.volume, wanted.dtype)), answer

    def cases(self, source: Path, request: Mapping[str, Any]) -> tuple[Case, ...]:
        """The cases of a source in the datastore, in the order of its plan.

        Raises:
            InputRefused: there is none.
            UsageError: a parameter is out of range.
        """
        return self._plan(source, read_request(self.system, request), inside=True).cases

    def _plan(self, source: Path, wanted: LabelRequest, inside: bool) -> Plan[Any]:
        with study_of(source, source.parent if inside else None) as study:
            return self.system.plan(study, wanted.source, self.bundle)

    def _name_of(self, source: Path) -> tuple[str, bool]:
        """How results are named, and whether the source is in the datastore; an uploaded one is named by its digest."""
        file = source.resolve()
        for name in self.datastore.list_images():
            if Path(self.datastore.get_image_uri(name)) == file:
                return name, True
        return "upload_" + hashlib.sha256(file.read_bytes()).hexdigest()[:12], False

    def _keep(self, volume: Volume, name: str, wanted: LabelRequest) -> str:
        with tempfile.TemporaryDirectory() as folder:
            file = write_volume(Path(folder) / f"{name}.nrrd", volume, wanted.dtype)
            return str(self.datastore.add_image(name, str(file), {}))


class ProgressLog:
    """Tells the log how far a synthesis is, at every tenth.

    Args:
        title: of the case.
        total: its units of work.
        unit: word for one of them.
    """

    def __init__(self, title: str, total: int, unit: str) -> None:
        self.title, self.total, self.unit, self.done = title, total, unit, 0

    def __call__(self, units: int) -> None:
        """Count units that have been finished."""
        before, self.done = self.done, self.done + units
        if before * 10 // self.total != self.done * 10 // self.total:
            logger.info("Synthesis of the %s: %d of %d %ss", self.title, self.done, self.total, self.unit)
