"""The training formats of prepared knees: the memory-mapped store, and MONAI's lists of files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from monai_xray2mri.core.identity import package_version
from monai_xray2mri.errors import UsageError
from monai_xray2mri.knee.data.arrays import GEOMETRY, KneeStore
from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.knee.oai.covariates import Covariates
from monai_xray2mri.knee.oai.intensity import RULE
from monai_xray2mri.knee.oai.knee_folder import VOLUME, Record, region_name, training_arrays
from monai_xray2mri.knee.oai.readings import KneeKey
from monai_xray2mri.knee.oai.splits import SPLITS
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.runtime.workers import Runner

DATASET_LIST: Final = "dataset.json"
STORE: Final = "store"


@dataclass(frozen=True)
class PreparedKnee:
    """A prepared knee.

    Attributes:
        key: participant, visit and side.
        record: content of its ``knee.json``.
        grading: its features.
        split: ``"training"``, ``"validation"`` or ``"test"``.
        covariates: age, sex and BMI at baseline; None if the tables do not hold the participant.
    """

    key: KneeKey
    record: Record
    grading: Grading
    split: str
    covariates: Covariates | None = None

    def as_item(self, folder: str) -> dict[str, Any]:
        """The knee as an entry of MONAI's list; ``image`` is the radiograph region, ``label`` the MR volume.

        Args:
            folder: path of the knee's folder relative to the list.
        """
        return {
            "image": f"{folder}/{region_name(self.key)}",
            "label": f"{folder}/{VOLUME}",
            "participant": self.key.participant,
            "visit": self.key.visit,
            "side": self.key.side.value,
            "split": self.split,
            "features": dict(self.grading.grades),
            "covariates": asdict(self.covariates or Covariates()),
        }


StoreTask = tuple[int, PreparedKnee]
"""A row number of the store, and the knee of that row."""


def write_dataset_list(output: Path, folder: str, knees: Sequence[PreparedKnee], options: Mapping[str, Any]) -> Path:
    """Write ``dataset.json`` in the format of :func:`monai.data.load_decathlon_datalist`.

    A split without knees has no list, so MONAI raises an error instead of training on nothing.

    Args:
        output: folder of the list; its paths are relative to this folder.
        folder: folder of the knees, relative to ``output``.
        knees: all knees.
        options: options of the preparation.

    Raises:
        UsageError: the file cannot be written.
    """
    items = [knee.as_item(f"{folder}/{knee.key.name}") for knee in knees]
    lists = {split: [item for item in items if item["split"] == split] for split in SPLITS}
    content = {
        "name": "knees of an OAI release",
        "description": "radiograph region (image) and modelled slices of COR_T1_3D_FLASH (label), features, covariates",
        "modality": {"0": "radiograph", "1": "MRI"},
        "version": package_version(),
        "options": dict(options),
        "numTraining": len(lists["training"]),
        "numValidation": len(lists["validation"]),
        "numTest": len(lists["test"]),
        **{split: entries for split, entries in lists.items() if entries},
    }
    return write_whole(output / DATASET_LIST, (json.dumps(content, indent=1) + "\n").encode())


def write_store(
    output: Path, folder: str, knees: Sequence[PreparedKnee], options: Mapping[str, Any], run: Runner
) -> Path:
    """Write the knees into a :class:`~monai_xray2mri.knee.data.arrays.KneeStore`.

    An existing store of the same knees with the same features is completed. A store of other knees (the release has
    grown) is removed and made again; the folders of the knees are kept.

    Args:
        output: parent folder of the store.
        folder: folder of the knees, relative to ``output``.
        knees: all knees.
        options: options of the preparation; for a simulated release also the simulator's version.
        run: applies a function to each of many tasks, in one or several processes.

    Returns:
        Folder of the store.

    Raises:
        UsageError: the disk is too small, or the store cannot be written.
    """
    directory = output / STORE
    index = {
        "source": "oai",
        "knees": [knee.key.name for knee in knees],
        "splits": [knee.split for knee in knees],
        "geometry": dict(GEOMETRY),
        "intensity": RULE,
        "fingerprints": [_fingerprint(knee) for knee in knees],
        "options": dict(options),
    }
    if simulated := options.get("simulated"):
        index["simulator"] = simulated["simulator_version"]
    try:
        store = KneeStore.create(directory, len(knees), index)
    except UsageError:
        if not _is_prepared_store(directory):
            raise
        shutil.rmtree(directory)
        store = KneeStore.create(directory, len(knees), index)
    missing = [(position, knees[position]) for position in np.flatnonzero(~store.done).tolist()]
    for _ in run(partial(_write_one, directory, output / folder), missing):
        pass
    return directory


def _is_prepared_store(directory: Path) -> bool:
    """Whether a folder holds a store that this module made, complete or not, so that it may be removed."""
    try:
        index = json.loads((directory / "index.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(index, dict) and index.get("source") == "oai"


def _fingerprint(knee: PreparedKnee) -> str:
    """A text that changes with the images or the features of the knee."""
    grades = ",".join(f"{stem}={grade}" for stem, grade in knee.grading.grades.items())
    return f"{knee.record['fingerprint']} {grades}"


def _write_one(directory: Path, folder: Path, task: StoreTask) -> None:
    position, knee = task
    KneeStore.open(directory).write(position, training_arrays(folder / knee.key.name, knee.key, knee.grading))
