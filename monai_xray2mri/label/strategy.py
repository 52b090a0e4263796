"""Next Sample of MONAI Label's own viewer plug-ins: makes a volume and hands it out as the next image."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.strategy import Strategy

from monai_xray2mri.errors import InputRefused, UnknownName, UsageError
from monai_xray2mri.label.store import is_source, result_name
from monai_xray2mri.label.task import MODEL, SynthesisTask

logger = logging.getLogger(__name__)


class Generate(Strategy):
    """The case of the newest source that has no volume yet, with the volume made on the spot.

    Plug-ins show what a strategy returns as an image, and inference results as masks: this is the way in which an
    unmodified plug-in shows a synthetic volume.

    Args:
        task: of synthesis.
        infer: the app's; takes a request.
        defaults: parameters of requests that the server was started with.
    """

    def __init__(
        self, task: SynthesisTask, infer: Callable[[dict[str, Any]], Any], defaults: Mapping[str, Any]
    ) -> None:
        super().__init__("Synthetic volume of the newest image that has none")
        self.task, self.infer, self.defaults = task, infer, defaults

    def __call__(self, request: Mapping[str, Any], datastore: Datastore) -> dict[str, str]:
        """The volume, as ``{"id": its name in the datastore}``; the first that there is if none is left to make.

        Args:
            request: parameters of a synthesis; ``image`` names the source.
            datastore: the server's.

        Raises:
            InputRefused: there is no source, or none that can be used; the message holds the reasons.
            UnknownName: ``image`` names none.
        """
        wanted = {**self.defaults, **request}
        reasons, done = [], ""
        for source in self._sources(wanted, datastore):
            try:
                cases = self.task.cases(Path(datastore.get_image_uri(source)), wanted)
            except (InputRefused, UsageError) as error:
                logger.warning("Passed over: %s", error)
                reasons.append(str(error))
                continue
            for case in cases:
                volume = result_name(source, self.task.system.product, case.key)
                if volume not in datastore.list_images():
                    return {"id": self._generate(source, case.key, wanted)}
                done = done or volume
        if not done:
            raise InputRefused("studies folder", "needs an image that can be used", " | ".join(reasons) or "none")
        return {"id": done}

    def _sources(self, wanted: Mapping[str, Any], datastore: Datastore) -> Iterator[str]:
        """Names of sources, the newest first."""
        if name := wanted.get("image"):
            if name not in datastore.list_images():
                raise UnknownName("image", "must be in the datastore", "no image of that name", "Check the name.")
            yield str(name)
            return
        files = {name: Path(datastore.get_image_uri(name)) for name in datastore.list_images()}
        sources = [name for name, file in files.items() if is_source(name, file, self.task.system)]
        yield from sorted(sources, key=lambda name: (-files[name].stat().st_mtime, name))

    def _generate(self, name: str, key: str, wanted: Mapping[str, Any]) -> str:
        request = {**wanted, "model": MODEL, "image": name, "side": key, "save_image": True}
        result = self.infer(request)
        Path(result["file"]).unlink()
        return str(result["params"]["volume"])
