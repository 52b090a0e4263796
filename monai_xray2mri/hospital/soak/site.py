"""The hospital of a soak: an Orthanc on a disk of its own, workers, a destination."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom import Dataset

from monai_xray2mri.hospital.record import Record
from monai_xray2mri.hospital.soak.disk import Disk
from monai_xray2mri.hospital.soak.judge import record_of
from monai_xray2mri.hospital.soak.peer import Peer
from monai_xray2mri.hospital.soak.processes import OrthancProcess, WorkerProcess
from monai_xray2mri.hospital.soak.studies import SoakStudy, send

_HTTP: Final = 18042
_DICOM: Final = 14242
_PEER: Final = 11112
_PAGE: Final = 18080
_ATTEMPTS: Final = 60
"""At sending an object, a second apart."""
_SETTINGS: Final = """
[orthanc]
url = "http://127.0.0.1:{http}"
[studies]
since = 2020-01-01
quiet_s = 3
poll_s = 0.5
sweep_s = 60
[model]
bundle = "{bundle}"
[model.sampling]
{sampling}
[retries]
lease_s = 10
first_s = 1
longest_s = 10
attempts = 12
[answers]
refusals = "report"
replaced = "delete"
[page]
port = {page}
[[destinations]]
name = "PEER"
timeout_s = 5
"""


@dataclass(frozen=True)
class SoakOptions:
    """What a soak is.

    Attributes:
        studies: how many.
        seed: of everything that is drawn.
        bundle: that the workers run.
        templates: films that studies are copied from.
        folder: for logs, storage and the verdict.
        sampling: lines of ``[model.sampling]``.
        workers: how many at once.
        incidents: one breaks after about so many studies.
        patience_s: seconds without a further study coming to its end after which the soak is over.
        seconds: after which no further study is sent.
        told: what happens, for people.
    """

    studies: int
    seed: int
    bundle: Path
    templates: Sequence[Dataset]
    folder: Path
    sampling: str = ""
    workers: int = 2
    incidents: int = 3
    patience_s: float = 300.0
    seconds: float = math.inf
    told: Callable[[str], object] = lambda text: None


class Site:
    """The hospital of a soak, which runs until :meth:`close`.

    Args:
        options: of the soak.

    Attributes:
        disk: of Orthanc.
        orthanc: that receives and sends.
        peer: the destination.
        logs: of the workers.
        workers: beside Orthanc.

    Raises:
        UsageError: Orthanc is not installed, or does not answer.
    """

    def __init__(self, options: SoakOptions) -> None:
        folder = options.folder
        self.disk = Disk(folder / "storage")
        place = {"PEER": ["PEER", "127.0.0.1", _PEER]}
        self.orthanc = OrthancProcess(folder, "ORTHANC", _HTTP, _DICOM, place, self.disk.folder, True)
        self.peer = Peer(_PEER)
        self.logs = [folder / f"worker {number}.log" for number in range(options.workers)]
        self.workers = [self._worker(options, number) for number in range(options.workers)]

    def _worker(self, options: SoakOptions, number: int) -> WorkerProcess:
        file = options.folder / f"worker {number}.toml"
        file.write_text(
            _SETTINGS.format(http=_HTTP, bundle=options.bundle, sampling=options.sampling, page=_PAGE + number)
        )
        return WorkerProcess(file, self.logs[number])

    def send(self, content: bytes) -> None:
        """Send an object until it is taken, as a modality does.

        Raises:
            TimeoutError: Orthanc takes nothing.
        """
        last: Exception | None = None
        for _ in range(_ATTEMPTS):
            try:
                if send(content, self.orthanc.dicom, self.orthanc.title):
                    return
            except (OSError, RuntimeError, ValueError) as error:
                last = error  # Orthanc is being killed or started: a fault of the soak
            time.sleep(1)
        raise TimeoutError("Orthanc takes nothing") from last

    def record(self, study: SoakStudy) -> Record | None:
        """The state of a study; None where it has none."""
        return record_of(self.orthanc, study.orthanc)

    def restart_orthanc(self) -> None:
        """End Orthanc as a power cut does, and start it again."""
        self.orthanc.kill()
        time.sleep(0.5)
        self.orthanc.start()

    def close(self) -> None:
        """End everything."""
        for worker in self.workers:
            worker.end(signal.SIGTERM)
        self.peer.stop()
        self.orthanc.kill()
