"""``xray2mri prepare --layout volumes`` on small files that are made here."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from pydicom.dataset import Dataset

from monai_xray2mri.cli import main
from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.systems.mri_xdiffusion.data.label_maps import painted_labels
from monai_xray2mri.systems.mri_xdiffusion.data.prepare import VolumeOptions, prepare_volumes, split_of
from monai_xray2mri.systems.mri_xdiffusion.data.presets import PRESETS, candidates
from monai_xray2mri.systems.mri_xdiffusion.data.store import VolumeStore
from monai_xray2mri.systems.mri_xdiffusion.volumes.fastmri import magnitudes, read_fastmri
from monai_xray2mri.types import Volume
from tests.systems.mri_xdiffusion.test_volumes import AXIAL, write_series

SIZE = 16


def image(path: Path, value: float = 1.0, spacing: float = 2.0, shape: tuple[int, int, int] = (10, 12, 8)) -> Path:
    """Noise in a brighter box."""
    path.parent.mkdir(parents=True, exist_ok=True)
    voxels = np.random.default_rng(len(path.name)).random(shape).astype(np.float32)
    voxels[3:7, 3:9, 2:6] += 10 * value
    made = SimpleITK.GetImageFromArray(voxels)
    made.SetSpacing((spacing,) * 3)
    SimpleITK.WriteImage(made, str(path))
    return path


@pytest.mark.parametrize(
    ("preset", "name", "patient"),
    [
        ("brats", "TCGA/BraTS20_Training_001/BraTS20_Training_001_flair.nii.gz", "brats20_training_001"),
        ("brats", "BraTS2021_00495/BraTS2021_00495_flair.nii.gz", "brats2021_00495"),
        ("brats", "BraTS-GLI-00005-101/BraTS-GLI-00005-101-t2f.nii.gz", "brats-gli-00005"),
        ("brats", "BraTS2021_00495/BraTS2021_00495_t1ce.nii.gz", None),
        ("ixi", "IXI002-Guys-0828-T1.nii.gz", "ixi002"),
        ("ixi", "IXI002-Guys-0828-T2.nii.gz", None),
        ("mni152", "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz", "mni_icbm152"),
        ("mni152", "mni_icbm152_gm_tal_nlin_sym_09a_converted.nii.gz", None),
        ("any", "somebody/first/scan.nrrd", "somebody"),
        ("any", "scan.mha", "scan"),
        ("fastmri", "singlecoil_train/file1000001.h5", "singlecoil_train"),
    ],
)
def test_presets_know_their_files_and_whose_they_are(preset: str, name: str, patient: str | None) -> None:
    wanted = PRESETS[preset].wanted.search(Path(name).name)
    assert (PRESETS[preset].patient_of(name) if wanted else None) == patient


def test_volumes_of_all_kinds_become_a_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    release, output = tmp_path / "release", tmp_path / "set"
    for person in range(6):
        for kind in ("first.nii.gz", "second.nrrd"):
            image(release / f"person{person}" / kind)
    write_series(AXIAL, release / "series")
    image(release / "tiny.nii", spacing=0.2)
    image(release / "flat.mha", value=0.0).write_bytes(b"no image")
    arguments = ["prepare", "--layout", "volumes", "--release", str(release), "--output", str(output)]
    code = main([*arguments, "--side", "24", "--size", str(SIZE)])
    printed = capsys.readouterr()
    assert code == 8 and printed.out.strip() == str(output / "index.json")
    assert "13 volumes" in printed.err and "left out: 2 that cannot be used, 0 of other kinds" in printed.err
    store, report = VolumeStore.open(output), json.loads((output / "report.json").read_text())
    assert store.done.all() and store.index["side_mm"] == 24 and set(report["skipped"]) == {"tiny.nii", "flat.mha"}
    assert "8 mm long at least" in report["skipped"]["tiny.nii"] and "flat.mha" in (output / "report.txt").read_text()
    by_person = dict(zip(store.index["volumes"], store.index["splits"], strict=True))
    assert all(by_person[f"person{n}/first.nii.gz"] == by_person[f"person{n}/second.nrrd"] for n in range(6))
    voxels = store.array("voxels")[store.index["volumes"].index("person0/first.nii.gz")]
    assert voxels[8, 8, 8] > 200 > 30 > voxels[4, 4, 4]  # the box is in the middle
    assert main([*arguments, "--side", "24", "--size", str(SIZE), "--allow-partial", "--quiet"]) == 0
    assert main([*arguments, "--side", "30", "--size", str(SIZE)]) == 2  # the folder holds another set
    assert "side_mm differ" in capsys.readouterr().err


def test_foreign_data_can_be_all_test(tmp_path: Path) -> None:
    for person in range(4):
        image(tmp_path / "release" / f"{person}.nii.gz")
    options = VolumeOptions(size=SIZE, side_mm=24.0, split="test")
    assert prepare_volumes(tmp_path / "release", tmp_path / "set", options).counts == {"test": 4}
    with pytest.raises(UsageError, match="must be one of: training"):
        prepare_volumes(tmp_path / "release", tmp_path / "other", VolumeOptions(side_mm=24.0, split="all"))


def test_several_processes_make_the_same_set_and_go_on_with_it(tmp_path: Path) -> None:
    for person in range(3):
        image(tmp_path / "release" / f"{person}.nii.gz")
    (tmp_path / "release" / "broken.nii.gz").write_bytes(b"no image")
    options, stores = VolumeOptions(size=SIZE, side_mm=24.0), []
    for workers in (1, 2):
        report = prepare_volumes(tmp_path / "release", tmp_path / f"set{workers}", options, workers=workers)
        assert len(report.splits) == 3 and list(report.skipped) == ["broken.nii.gz"]
        stores.append(VolumeStore.open(tmp_path / f"set{workers}"))
    assert (stores[0].array("voxels") == stores[1].array("voxels")).all()
    done = np.lib.format.open_memmap(tmp_path / "set1" / "done.npy", "r+")
    done[1] = 0  # as if a run had been killed before this volume
    done.flush()
    voxels = np.lib.format.open_memmap(tmp_path / "set1" / "voxels.npy", "r+")
    voxels[:2] = 0
    voxels.flush()
    prepare_volumes(tmp_path / "release", tmp_path / "set1", options)
    again = VolumeStore.open(tmp_path / "set1")
    assert again.done.all() and again.array("voxels")[1].any() and not again.array("voxels")[0].any()


def test_the_brain_template_of_nilearn_is_a_foreign_set(tmp_path: Path) -> None:
    """Optional: the template comes with nilearn, which is not needed for anything else."""
    spec = importlib.util.find_spec("nilearn")
    if spec is None or spec.origin is None:
        pytest.skip("nilearn is not installed")
    release = Path(spec.origin).parent / "datasets" / "data"
    report = prepare_volumes(release, tmp_path / "set", VolumeOptions("mni152", split="test"))
    assert report.counts == {"test": 1} and not report.skipped
    cube = VolumeStore.open(tmp_path / "set").read(0)["voxels"]
    assert cube.shape == (96, 96, 96) and 0.1 < (cube > 25).mean() < 0.4  # a head in a cube of 240 mm
    assert cube[48, 48, 48] > 60 and cube[2].max() < 25


def test_a_preset_leaves_other_sequences_out(tmp_path: Path) -> None:
    for kind in ("flair", "t1", "t1ce", "t2"):
        image(tmp_path / "release" / "BraTS2021_00001" / f"BraTS2021_00001_{kind}.nii.gz", spacing=12.0)
    report = prepare_volumes(tmp_path / "release", tmp_path / "set", VolumeOptions("brats", SIZE))
    assert list(report.splits) == ["BraTS2021_00001/BraTS2021_00001_flair.nii.gz"]
    assert report.unwanted == 3 and not report.skipped


def test_patients_are_divided_eight_to_one_to_one() -> None:
    counts = Counter(split_of(f"patient {number}") for number in range(4000))
    assert {name: round(count / 400) for name, count in counts.items()} == {"training": 8, "validation": 1, "test": 1}
    assert any(split_of(f"patient {number}", 1) != split_of(f"patient {number}") for number in range(20))


def test_what_cannot_be_prepared_is_refused(tmp_path: Path) -> None:
    (tmp_path / "release").mkdir()
    for options, output, message in (
        (VolumeOptions(), "set", "Name the side"),
        (VolumeOptions("brain"), "set", "must be one of: any, brats"),
        (VolumeOptions("ixi"), "release/set", "outside of the release"),
    ):
        with pytest.raises(UsageError, match=message):
            prepare_volumes(tmp_path / "release", tmp_path / output, options)
    with pytest.raises(InputRefused, match="must hold volumes of the preset ixi"):
        prepare_volumes(tmp_path / "release", tmp_path / "set", VolumeOptions("ixi"))
    assert not (tmp_path / "set").exists()


def test_a_folder_of_dicom_is_one_volume(tmp_path: Path) -> None:
    def name(index: int, dataset: Dataset) -> None:
        dataset.PatientID = "somebody"

    write_series(AXIAL, tmp_path / "a", name)
    (tmp_path / ".hidden").write_bytes(b"")
    found = list(candidates(tmp_path, PRESETS["any"]))
    assert [candidate.name for candidate in found] == ["a"]


HEADER = """<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><encoding><reconSpace>
<matrixSize><x>320</x><y>320</y><z>1</z></matrixSize>
<fieldOfView_mm><x>160</x><y>160</y><z>3</z></fieldOfView_mm></reconSpace></encoding></ismrmrdHeader>"""


def kspace_of(images: np.ndarray) -> np.ndarray:
    axes = (-2, -1)
    return np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(images, axes), norm="ortho"), axes)


def test_magnitudes_are_the_root_sum_of_squares_of_the_center() -> None:
    images = np.random.default_rng(0).random((2, 3, 340, 330)).astype(np.float32)
    wanted = np.sqrt((images**2).sum(axis=1))[:, 10:330, 5:325]
    np.testing.assert_allclose(magnitudes(kspace_of(images)), wanted, atol=1e-5)
    np.testing.assert_allclose(magnitudes(kspace_of(images[:, 0])), images[:, 0, 10:330, 5:325], atol=1e-5)


def test_fastmri_files_are_read(tmp_path: Path) -> None:
    library: Any = pytest.importorskip("h5py")
    images = np.random.default_rng(0).random((3, 330, 320)).astype(np.float32)
    with library.File(tmp_path / "file1.h5", "w") as file:
        file["kspace"], file["ismrmrd_header"] = kspace_of(images).astype(np.complex64), HEADER
        file.attrs["patient_id"] = "0a1b"
    read, patient = read_fastmri(tmp_path / "file1.h5")
    assert patient == "0a1b" and read.volume.voxels.shape == (3, 320, 320)
    np.testing.assert_allclose(read.volume.spacing, (0.5, 0.5, 3))
    report = prepare_volumes(tmp_path, tmp_path.parent / f"{tmp_path.name}_set", VolumeOptions("fastmri", SIZE))
    assert list(report.splits) == ["file1.h5"]
    (tmp_path / "file2.h5").write_bytes(b"nothing")
    with pytest.raises(InputRefused, match="HDF5 with kspace"):
        read_fastmri(tmp_path / "file2.h5")


def test_label_maps_are_painted() -> None:
    labels = np.zeros((40, 40, 40), np.float32)
    labels[10:30, 10:30, 5:18], labels[10:30, 10:30, 18:20], labels[10:30, 10:30, 20:35] = 5, 1, 6
    painted = painted_labels(Volume(labels, np.diag([1.5, 1.5, 1.5, 1.0])), "map").voxels
    bone, cartilage, cortex, muscle = painted[20, 20, 10], painted[20, 20, 18], painted[20, 10, 10], painted[20, 20, 3]
    assert cartilage > muscle > cortex and cartilage > bone > cortex and painted.max() <= 1
    with pytest.raises(InputRefused, match="label map of a knee"):
        painted_labels(Volume(labels + 7, np.eye(4)), "map")


def test_without_h5py_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(UsageError, match=r"monai-xray2mri\[fastmri\]"):
        read_fastmri(tmp_path / "file1.h5")
