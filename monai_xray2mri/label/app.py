"""The MONAI Label app of this package; ``xray2mri label-app`` writes the folder that starts it."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monailabel.config import settings
from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.app import MONAILabelApp
from monailabel.interfaces.datastore import Datastore

from monai_xray2mri.core.identity import package_version
from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.errors import UnknownName, UsageError, WeightsError
from monai_xray2mri.label.endpoints import answer_beside_the_loop
from monai_xray2mri.label.request import read_request
from monai_xray2mri.label.store import PATTERNS
from monai_xray2mri.label.strategy import Generate
from monai_xray2mri.label.task import MODEL, SynthesisTask
from monai_xray2mri.systems.registry import default_bundle, load, system_of


class SynthesisApp(MONAILabelApp):
    """Serves one bundle. Options of the server's start are given as ``--conf NAME VALUE``.

    ``bundle``: folder of a bundle (default: the one of the package); ``device``: auto, cuda, mps or cpu; and, for Next
    Sample, any parameter of a request, such as ``samples`` or ``assume_spacing``.

    Raises:
        WeightsError: the bundle is missing or damaged.
        UsageError: the port is in use, a parameter wrong, or the studies are no local folder.
    """

    def __init__(self, app_dir: str, studies: str, conf: Mapping[str, str]) -> None:
        conf = dict(conf or {})
        try:
            bundle = Path(conf.get("bundle") or default_bundle())
            read_request(system_of(bundle), conf)
            self._loaded = load(bundle, conf.get("device", "auto"))
        except WeightsError as error:
            remedy = "Start with --conf bundle FOLDER of a complete bundle, or restore its files."
            raise WeightsError(error.what, error.rule, error.found, remedy) from error
        require_free_port(settings.MONAI_LABEL_SERVER_PORT)
        super().__init__(
            app_dir, studies, conf, name="xray2mri", version=package_version(),
            description=f"{self._loaded.system.name}: {self._loaded.system.summary}. {DISCLAIMER}",
        )  # fmt: skip

    def init_datastore(self) -> Datastore:
        """A local folder, DICOM files among its images.

        Raises:
            UsageError: the studies are an address.
        """
        if self.studies.startswith(("http://", "https://")):
            raise UsageError(
                "option --studies",
                "must be a folder",
                "an address",
                "Copy the images into a folder on this computer.",
            )
        return LocalDatastore(self.studies, extensions=PATTERNS, auto_reload=settings.MONAI_LABEL_DATASTORE_AUTO_RELOAD)

    def init_infers(self) -> dict[str, Any]:
        """The model."""
        self._task = SynthesisTask(self._loaded, self._datastore)
        return {MODEL: self._task}

    def init_strategies(self) -> dict[str, Any]:
        """Next Sample."""
        return {"generate": Generate(self._task, self.infer, self.conf)}

    def info(self) -> dict[str, Any]:
        """MONAI Label's, with what the bundle tells of itself and the warning that belongs to results."""
        return {**super().info(), "disclaimer": DISCLAIMER, **self._loaded.predictor.server_info()}

    def infer(self, request: dict[str, Any], datastore: Datastore | None = None) -> Any:
        """Run the model.

        Raises:
            UnknownName: there is no such model or image.
            Xray2MRIError: see :class:`~monai_xray2mri.label.task.SynthesisTask`.
        """
        self._require_known(request)
        return super().infer(request, datastore)

    def on_init_complete(self) -> None:
        """Called when the server starts."""
        super().on_init_complete()
        answer_beside_the_loop()

    def _require_known(self, request: Mapping[str, Any]) -> None:
        model, image = request.get("model"), str(request.get("image") or "")
        if model not in self._infers:
            raise UnknownName("model", f"must be {MODEL}", str(model)[:40], "Choose this model.")
        if image not in self._datastore.list_images() and not Path(image).is_file():
            raise UnknownName(
                "image", "must be in the studies folder, or be sent with the request", "no image of that name",
                "Check the name: it is that of the file without its ending.",
            )  # fmt: skip


def require_free_port(port: int) -> None:
    """Make sure that no other server answers on this computer's port.

    Raises:
        UsageError: one does.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise UsageError(
                f"port {port}", "must be free", "another program answers there",
                f"Stop the other server, or start this one with --port {port + 1} and give that number in Slicer.",
            )  # fmt: skip
