"""A film of both knees through a real worker between two Orthancs; for ``test_round_trip.py``.

Called with a folder, in a network namespace of its own. Afterwards ``right`` and ``left`` in it hold the slices that
the second Orthanc gave back, and ``film/film.dcm`` the film; what is printed is the truth of the film, as JSON.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from io import BytesIO
from pathlib import Path

from pydicom import dcmread

from monai_xray2mri.dicom.uids import encoded
from monai_xray2mri.hospital.soak.judge import record_of
from monai_xray2mri.hospital.soak.processes import OrthancProcess, WorkerProcess
from monai_xray2mri.hospital.soak.studies import send
from monai_xray2mri.simulation.knee.film.film import simulate_film
from monai_xray2mri.simulation.knee.film.film_dicom import film_dataset
from monai_xray2mri.systems.knee_xray2mri.example_study import EXAMPLE_SEED
from tests.helpers.orthanc_session import raise_loopback

PATIENCE_S = 600.0
SETTINGS = """
[orthanc]
url = "http://127.0.0.1:18042"
[studies]
since = 2020-01-01
quiet_s = 1
poll_s = 0.5
[model]
device = "cpu"
[model.sampling]
steps = 4
[page]
port = 0
[[destinations]]
name = "PACS"
"""


def main(folder: Path) -> None:
    raise_loopback()
    film = simulate_film(EXAMPLE_SEED)
    (folder / "film").mkdir()
    content = encoded(film_dataset(film))
    (folder / "film" / "film.dcm").write_bytes(content)
    (folder / "worker.toml").write_text(SETTINGS)
    pacs = OrthancProcess(folder, "PACS", 18043, 14243, {})
    orthanc = OrthancProcess(folder, "ORTHANC", 18042, 14242, {"PACS": ["PACS", "127.0.0.1", 14243]})
    worker = WorkerProcess(folder / "worker.toml", folder / "worker.log")
    try:
        assert send(content, orthanc.dicom, orthanc.title)
        (study,) = orthanc.ask("/studies")
        end = time.monotonic() + PATIENCE_S
        while (record := record_of(orthanc, study)) is None or not record.is_final:
            assert time.monotonic() < end and worker.process.poll() is None, (folder / "worker.log").read_text()
            time.sleep(0.5)
        assert record.state == "done", record
        for series in pacs.ask(f"/studies/{pacs.ask('/studies')[0]}/series"):
            if series["MainDicomTags"]["Modality"] != "MR":
                continue
            for name in series["Instances"]:
                slice_ = pacs.client.get(f"/instances/{name}/file").content
                header = dcmread(BytesIO(slice_), stop_before_pixels=True)
                place = folder / {"R": "right", "L": "left"}[header.Laterality]
                place.mkdir(exist_ok=True)
                (place / f"{name}.dcm").write_bytes(slice_)
    finally:
        worker.end(signal.SIGTERM)
        orthanc.kill()
        pacs.kill()
    print(json.dumps({side.word: dict(points) for side, points in film.keypoints.items()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
