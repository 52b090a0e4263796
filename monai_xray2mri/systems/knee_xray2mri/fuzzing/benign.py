"""Mutations that change nothing in what the film shows: the study must be used, with the very same pixels."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import SimpleITK as sitk
from pydicom import Dataset, dcmread
from pydicom.dataelem import DataElement
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    RLELossless,
    generate_uid,
)

from monai_xray2mri.systems.knee_xray2mri.fuzzing.film import save, stored_values

Study = Callable[[Dataset, Path, np.random.Generator], None]
"""Writes a mutated study: film (may be changed), its folder, random numbers."""
Change = Callable[[Dataset, np.random.Generator], None]

DISPENSABLE: Final = (
    "PatientAge", "PatientSex", "PatientName", "PatientID", "PatientBirthDate", "StudyDate", "StudyTime",
    "AcquisitionDate", "AcquisitionTime", "AccessionNumber", "InstitutionName", "BodyPartExamined", "ViewPosition",
    "PatientOrientation", "ReferringPhysicianName", "SpecificCharacterSet",
)  # fmt: skip
"""Attributes without which a film can still be read rightly; the last one since all its texts are ASCII."""
CHARACTER_SETS: Final = (
    ["ISO_IR 100"], ["ISO 2022 IR 6", "ISO 2022 IR 87"], ["ISO_IR 144"], ["GB18030"], ["ISO_IR 999"], ["latin1"], [""],
)  # fmt: skip
"""The last three are none that DICOM knows."""
DEPTH: Final = 30


def edited(change: Change) -> Study:
    """A study of which only the film's data set is changed."""

    def write(film: Dataset, folder: Path, random: np.random.Generator) -> None:
        change(film, random)
        save(film, folder)

    return write


def _remove(film: Dataset, random: np.random.Generator) -> None:
    delattr(film, str(random.choice(DISPENSABLE)))


def _empty(film: Dataset, random: np.random.Generator) -> None:
    setattr(film, str(random.choice(DISPENSABLE)), None)


def _add_private(film: Dataset, random: np.random.Generator) -> None:
    block = film.private_block(0x0011, "A VENDOR", create=True)
    values = (("LO", "secret"), ("UN", random.bytes(64)), ("OB", random.bytes(4000)), ("DS", "1.5"))
    for number, (kind, value) in enumerate(values[: int(random.integers(1, 5))]):
        block.add_new(number, kind, value)


def _nest(film: Dataset, random: np.random.Generator) -> None:
    item = Dataset()
    for _ in range(int(random.integers(2, DEPTH))):
        outer = Dataset()
        outer.RequestAttributesSequence = [item]
        item = outer
    film.update(item)


def _declare_characters(film: Dataset, random: np.random.Generator) -> None:
    film.SpecificCharacterSet = CHARACTER_SETS[int(random.integers(len(CHARACTER_SETS)))]


def _write_undecodable_name(film: Dataset, random: np.random.Generator) -> None:
    film.SpecificCharacterSet = str(random.choice(["ISO_IR 192", "ISO_IR 100", "ISO 2022 IR 87"]))
    film["PatientName"] = DataElement("PatientName", "UN", b"M\xff\xfe\x80ller^\xc3(" + random.bytes(4))


def _lengthen_texts(film: Dataset, random: np.random.Generator) -> None:
    film.ImageComments = "long " * int(random.integers(100, 3000))
    film.StudyID = "S" * int(random.integers(17, 400))


def _tell_windows(film: Dataset, random: np.random.Generator) -> None:
    film.NumberOfFrames = "1"
    film.LossyImageCompression = "00"
    film.RescaleIntercept, film.RescaleSlope, film.RescaleType = "0", "1", "US"


def _add_overlay(film: Dataset, random: np.random.Generator) -> None:
    film[0x60000010] = DataElement(0x60000010, "US", film.Rows)
    film[0x60000011] = DataElement(0x60000011, "US", film.Columns)
    film[0x60003000] = DataElement(0x60003000, "OW", random.bytes(film.Rows * film.Columns // 8))


def _pad(film: Dataset, random: np.random.Generator) -> None:
    film[0xFFFCFFFC] = DataElement(0xFFFCFFFC, "OB", bytes(2 * int(random.integers(1, 2000))))


def _invert(film: Dataset, random: np.random.Generator) -> None:
    film.PixelData = (4095 - stored_values(film)).astype("<u2").tobytes()
    film.PhotometricInterpretation = "MONOCHROME1"


def _mirror(film: Dataset, random: np.random.Generator) -> None:
    film.PixelData = np.ascontiguousarray(stored_values(film)[:, ::-1]).tobytes()
    film.PatientOrientation = ["R", "F"]


def _turn(film: Dataset, random: np.random.Generator) -> None:
    film.PixelData = np.ascontiguousarray(stored_values(film)[::-1, ::-1]).tobytes()
    film.PatientOrientation = ["R", "H"]


def _spell_otherwise(film: Dataset, random: np.random.Generator) -> None:
    film["PatientSex"] = DataElement("PatientSex", "LO", "unknown")
    film["PatientAge"] = DataElement("PatientAge", "LT", "sixty")
    film["AcquisitionDate"] = DataElement("AcquisitionDate", "LO", "2020-01-02")


def _use_syntax(film: Dataset, random: np.random.Generator) -> None:
    kind = int(random.integers(6))
    if kind == 0:
        film.compress(RLELossless)
    elif kind in (1, 2):
        _compress_with_gdcm(film, ("JPEG", "JPEG2000")[kind - 1])
    elif kind == 3:
        film.PixelData = stored_values(film).astype(">u2").tobytes()
        film.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    else:
        film.file_meta.TransferSyntaxUID = (ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)[kind - 4]


def _compress_with_gdcm(film: Dataset, compressor: str) -> None:
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.UseCompressionOn()
    writer.SetCompressor(compressor)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "coded.dcm"
        writer.SetFileName(str(path))
        writer.Execute(sitk.GetImageFromArray(stored_values(film)[None].astype(np.uint16)))
        coded = dcmread(path)
        film.PixelData = encapsulate([next(generate_frames(coded.PixelData, number_of_frames=1))])
    film.file_meta.TransferSyntaxUID = coded.file_meta.TransferSyntaxUID
    film["PixelData"].VR, film["PixelData"].is_undefined_length = "OB", True


def _drop_preamble(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    path = save(film, folder)
    path.write_bytes(path.read_bytes()[132:])


def _rename(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    name = str(random.choice(["001", "IM 0 1", "film.DCM.bak", "ünïcode.dcm", "film.txt", "x" * 200]))
    save(film, folder, name)


def _bury(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    deep = folder.joinpath(*(f"d{number}" for number in range(int(random.integers(1, 12)))))
    deep.mkdir(parents=True)
    save(film, deep)


def _add_other_files(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    save(film, folder)
    (folder / "notes.txt").write_text("nothing")
    (folder / "empty.dcm").touch()
    (folder / "random.dcm").write_bytes(random.bytes(3000))
    (folder / "short.dcm").write_bytes(b"\0" * 128 + b"DICM" + struct.pack("<I", 7))
    (folder / "DICOMDIR").write_bytes(random.bytes(100))


def _add_other_images(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    save(film, folder)
    film.SOPClassUID, film.Modality = MRImageStorage, "MR"
    for number in range(int(random.integers(1, 5))):
        film.SOPInstanceUID = generate_uid(entropy_srcs=["other", str(number)])
        save(film, folder, f"mr_{number}.dcm")


def _add_links(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    save(film, folder)
    (folder / "dangling.dcm").symlink_to("nowhere.dcm")
    (folder / "loop.dcm").symlink_to("loop.dcm")
    (folder / "circle").symlink_to(folder, target_is_directory=True)


BENIGN: Final[dict[str, Study]] = {
    "attribute without need removed": edited(_remove),
    "attribute without need emptied": edited(_empty),
    "private attributes": edited(_add_private),
    "nested sequences": edited(_nest),
    "character set": edited(_declare_characters),
    "undecodable name": edited(_write_undecodable_name),
    "texts too long": edited(_lengthen_texts),
    "identity look-up table": edited(_tell_windows),
    "overlay": edited(_add_overlay),
    "trailing padding": edited(_pad),
    "MONOCHROME1": edited(_invert),
    "mirrored and told": edited(_mirror),
    "turned and told": edited(_turn),
    "wrong VR of a text": edited(_spell_otherwise),
    "transfer syntax": edited(_use_syntax),
    "no preamble": _drop_preamble,
    "file name": _rename,
    "deep folders": _bury,
    "other files": _add_other_files,
    "other images": _add_other_images,
    "links": _add_links,
}
"""Name to mutation."""
