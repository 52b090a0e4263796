"""A system for tests of cohorts, as a stranger's package: a picture to its negative; names of files make it misbehave.

``refused``: the plan refuses it; ``plan_crash``: the plan ends its process; ``hang``, ``crash``, ``eat``: the predictor
does not return, ends its process, fills the memory; ``odd``: it raises an error that quotes a name.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

CODE = """
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from monai_xray2mri.core.options import Option, require_known
from monai_xray2mri.core.system import Outputs, Plan
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.runtime.files import whole_directory
from monai_xray2mri.types import Volume


@dataclass(frozen=True)
class Picture:
    path: Path
    number: int
    remarks: tuple = ("a remark",)

    @property
    def name(self):
        return f"picture_{self.number}"

    key = ""
    title = "picture"

    def record(self):
        return {"file": self.path.name}


@dataclass(frozen=True)
class Sampling:
    seconds: float = 0.0

    def record(self):
        return {}


@dataclass(frozen=True)
class Written:
    directory: Path


@dataclass(frozen=True)
class Negative:
    case: Picture
    volume: Volume
    provenance: Mapping = None
    uncertainty: Volume = None

    def numbers(self):
        return {"mean_percent": round(100 * float(self.volume.voxels.mean()), 3)}

    def save(self, folder, outputs=Outputs()):
        written = Written(Path(folder) / self.case.name)
        with whole_directory(written.directory) as draft:
            pixels = np.rint(self.volume.voxels[0] * 255).astype(np.uint8)
            Image.fromarray(pixels).save(draft / "preview.png")
            if outputs.nifti:
                (draft / "image.nii.gz").write_bytes(pixels.tobytes())
            (draft / "report.json").write_text(json.dumps({"mean": float(pixels.mean())}))
        return written


class Predictor:
    name = "negative 0.1"
    device = "cpu"

    def record(self):
        return {}

    def server_info(self):
        return {}

    def resolve(self, **options):
        require_known(options, System.sampling_options)
        return Sampling(float(options.get("seconds") or 0))

    def work(self, sampling):
        return 1

    def predict(self, case, sampling, progress=None):
        name = case.path.name
        time.sleep(sampling.seconds)
        if "crash" in name:
            os.kill(os.getpid(), 11)
        if "hang" in name:
            time.sleep(600)
        if "eat" in name:
            kept = b"x" * 3_000_000_000
            time.sleep(600)
        if "odd" in name:
            raise RuntimeError("Erika Mustermann")
        with Image.open(case.path) as picture:
            pixels = 1 - np.asarray(picture.convert("L"), np.float32) / 255
        return Negative(case, Volume(pixels[None], np.eye(4)), {})


class System:
    name = "negative"
    summary = "picture to its negative"
    product = "negative"
    modalities = ()
    request_options = (Option("least", int, "smallest side", 1, low=1),)
    sampling_options = (Option("seconds", float, "that a picture takes", 0.0),)
    work_unit = "picture"
    cases_word = "pictures"

    def request(self, **values):
        require_known(values, self.request_options)
        return int(values.get("least") or 1)

    def plan(self, source, request, bundle):
        source = Path(source)
        files = [source] if source.is_file() else sorted(source.rglob("*.png"))
        if any("plan_crash" in file.name for file in files):
            os.kill(os.getpid(), 11)
        if any("refused" in file.name for file in files):
            raise InputRefused(f"picture {files[0].name}", "must not be called refused", "it is", "Rename it.")
        with Image.open(files[0]) as picture:
            if min(picture.size) < request:
                raise InputRefused(f"picture {files[0].name}", "must be large enough", str(min(picture.size)))
        return Plan(tuple(Picture(file, number) for number, file in enumerate(files)))

    def predictor(self, bundle, device="auto"):
        return Predictor()


SYSTEM = System()
"""


def install_misbehaving_system(folder: Path) -> tuple[Path, Path]:
    """Write the package and a bundle below a folder; returns a folder for ``sys.path`` and the bundle."""
    site, bundle = folder / "site", folder / "bundle"
    for place in (site / "negative", site / "negative-0.1.dist-info", bundle / "configs"):
        place.mkdir(parents=True)
    (site / "negative" / "__init__.py").write_text(CODE)
    (site / "negative-0.1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: negative\nVersion: 0.1\n")
    (site / "negative-0.1.dist-info" / "entry_points.txt").write_text(
        "[monai_xray2mri.systems]\nnegative = negative:SYSTEM\n"
    )
    (bundle / "configs" / "metadata.json").write_text('{"name": "negative", "version": "0.1", "system": "negative"}')
    return site, bundle


def write_pictures(folder: Path, *names: str) -> None:
    """Pictures of 8 x 8 pixels, each of another grey."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), 10 * number % 256, np.uint8)).save(path)
