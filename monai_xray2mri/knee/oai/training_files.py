"""Prepared knees as training reads them: the memory-mapped store, and MONAI's lists of files."""

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
    """A knee that is ready to train.

    Attributes:
        key: participant, visit and side.
        record: its ``knee.json``.
        grading: its features.
        split: ``"training"``, ``"validation"`` or ``"test"``.
        covariates: age, sex, BMI at baseline; None if no table tells.
    """

    key: KneeKey
    record: Record
    grading: Grading
    split: str
    covariates: Covariates | None = None

    def as_item(self, folder: str) -> dict[str, Any]:
        """The knee as an entry of MONAI's list; ``image`` is the radiograph region, ``label`` the MR volume.

        Args:
            folder: the knee's folder relative to the list.
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
"""A row of the store and the knee that belongs there."""


def write_dataset_list(output: Path, folder: str, knees: Sequence[PreparedKnee], options: Mapping[str, Any]) -> Path:
    """Write ``dataset.json`` as :func:`monai.data.load_decathlon_datalist` reads it.

    A split without knees has no list: MONAI then says so instead of training on nothing.

    Args:
        output: the folder of the list; paths in it are relative to this folder.
        folder: the folder of the knees below it.
        knees: all knees.
        options: how they were prepared.

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

    A store of the same knees with the same features is completed; one of other knees, as after the release has grown,
    is made anew: the folders of the knees are what is kept.

    Args:
        output: the folder of the store.
        folder: the folder of the knees below it.
        knees: all knees.
        options: how they were prepared; of a simulated release with the simulator's version.
        run: applies a function to each of some tasks, in this process or others.

    Returns:
        The store's folder.

    Raises:
        UsageError: there is no room for it, or it cannot be written.
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
    """Whether a folder holds a store that this module made, whole or not, and nothing that is not ours to remove."""
    try:
        index = json.loads((directory / "index.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(index, dict) and index.get("source") == "oai"


def _fingerprint(knee: PreparedKnee) -> str:
    """Changes when the images or the features of the knee do."""
    grades = ",".join(f"{stem}={grade}" for stem, grade in knee.grading.grades.items())
    return f"{knee.record['fingerprint']} {grades}"


def _write_one(directory: Path, folder: Path, task: StoreTask) -> None:
    position, knee = task
    KneeStore.open(directory).write(position, training_arrays(folder / knee.key.name, knee.key, knee.grading))
