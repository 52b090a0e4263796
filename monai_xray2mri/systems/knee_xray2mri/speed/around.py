"""What one film costs from its file to its result folder, without sampling and decoding."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import torch
from pydicom import dcmread
from torch.nn import functional as F

from monai_xray2mri.systems.knee_xray2mri.example_study import write_example_study
from monai_xray2mri.systems.knee_xray2mri.speed.ladder import Job, read_case
from monai_xray2mri.systems.knee_xray2mri.system import SYSTEM

ROWS: Final = 3000
"""Of the film, about what large detectors have."""
CASES: Final = 3


def write_large_study(folder: Path) -> Path:
    """The example study, its film enlarged to :data:`ROWS`; its reports refer to it as before."""
    write_example_study(folder)
    film = dcmread(folder / "film.dcm")
    scale = ROWS / film.Rows
    pixels = torch.from_numpy(film.pixel_array.astype("float32"))[None, None]  # [1,1,H,W]
    large = F.interpolate(pixels, size=(ROWS, round(film.Columns * scale)), mode="bilinear")[0, 0]
    film.Rows, film.Columns = large.shape
    film.ImagerPixelSpacing = [f"{float(side) / scale:.6f}" for side in film.ImagerPixelSpacing]
    film.PixelData = large.round().numpy().astype("<u2").tobytes()
    film.save_as(folder / "film.dcm")
    return folder


def measure_around(job: Job) -> dict[str, Any]:
    """CPU seconds of cases one after the other in this process; the first loads what only results need.

    In place of sampling and decoding stands the truth of the job's case.
    """
    torch.set_num_threads(job.threads)
    predictor = SYSTEM.predictor(job.bundle, job.device)
    truth = read_case(job.case).truth
    if truth is None:
        raise ValueError("Argument 'job' must have a case of known truth.")
    images = torch.from_numpy(truth).float()[:, None].to(job.device) * 2 - 1  # [S,1,H,W]
    predictor.network.sample = lambda condition, places, **_: images.clone()  # type: ignore[method-assign]
    sampling, spent = predictor.resolve(), []
    with TemporaryDirectory() as name:
        study = write_large_study(Path(name) / "study")
        for number in range(CASES):
            start = time.process_time()
            case = SYSTEM.plan(study, SYSTEM.request(side="R"), job.bundle).only()
            predictor.predict(case, sampling).save(Path(name) / str(number))
            spent.append(time.process_time() - start)
    return {"rows": ROWS, "first_cpu_seconds": spent[0], "later_cpu_seconds": min(spent[1:])}
