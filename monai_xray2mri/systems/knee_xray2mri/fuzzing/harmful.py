"""Mutations after which a study may be unusable: a refusal that says why, or a valid result, and nothing else."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Final

import numpy as np
from pydicom import Dataset
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    MRImageStorage,
    RLELossless,
    generate_uid,
)

from monai_xray2mri.systems.knee_xray2mri.fuzzing.benign import Study, edited
from monai_xray2mri.systems.knee_xray2mri.fuzzing.film import save, stored_values

VALUES: Final[dict[str, tuple[object, ...]]] = {
    "Rows": (0, 1, 161, 319, 65535),
    "Columns": (0, 1, 159, 65535),
    "BitsAllocated": (1, 8, 32, 64, 12),
    "BitsStored": (0, 7, 16, 200),
    "HighBit": (0, 15, 999),
    "PixelRepresentation": (1, 2),
    "SamplesPerPixel": (0, 3, 4),
    "NumberOfFrames": ("0", "2", "1000000", "-1"),
    "PhotometricInterpretation": ("RGB", "PALETTE COLOR", "MONOCHROME3", ""),
    "ImagerPixelSpacing": (["0", "0"], ["-1", "-1"], ["1e9", "1e9"], ["nan", "nan"], ["0.7"], ["1e-9", "1e-9"]),
    "PatientOrientation": (["L", "L"], ["X", "Y"], ["F", "L"], ["A", "F"], ["L"]),
    "ImageLaterality": ("L", "B", "U", "Q", ""),
    "Laterality": ("L",),
    "PatientAge": ("012Y", "000D", "999Y", "044Y"),
    "PatientBirthDate": ("20150101", "00000000", "99999999"),
    "BodyPartExamined": ("CHEST", "HAND", "KNEE\\HIP", "膝"),
    "ViewPosition": ("LATERAL", "AXIAL", "LL"),
    "Modality": ("MR", "OT", "", "CRX"),
    "SOPClassUID": (MRImageStorage, "1.2.3", "", "not a uid"),
    "StudyInstanceUID": ("", "1..2", "x" * 200),
    "SOPInstanceUID": ("", "not a uid"),
    "RescaleSlope": ("0", "-1", "1e30"),
    "WindowWidth": ("0", "-5", "abc"),
}
"""Attribute to values that it must not have, or that change what the film is."""
BOMB_BYTES: Final = 400_000_000
"""What the deflated bomb grows to, more than a film may."""


def _needed(film: Dataset, random: np.random.Generator) -> str:
    return str(random.choice([element.keyword for element in film if element.keyword]))


def _remove(film: Dataset, random: np.random.Generator) -> None:
    delattr(film, _needed(film, random))


def _empty(film: Dataset, random: np.random.Generator) -> None:
    film[_needed(film, random)].value = None


def _set_absurd(film: Dataset, random: np.random.Generator) -> None:
    keyword = str(random.choice(list(VALUES)))
    value = VALUES[keyword][int(random.integers(len(VALUES[keyword])))]
    film[keyword] = DataElement(keyword, dictionary_VR(keyword).split(" or ")[0], value)


def _set_wrong_vr(film: Dataset, random: np.random.Generator) -> None:
    keyword = _needed(film, random)
    kind, value = [("OB", random.bytes(6)), ("LO", "text"), ("US", 7), ("FD", 1.5), ("SQ", []), ("UI", "1.2")][
        int(random.integers(6))
    ]
    film[keyword] = DataElement(keyword, kind, value)


def _change_pixels(film: Dataset, random: np.random.Generator) -> None:
    size, values = stored_values(film).shape, stored_values(film)
    choices = [
        np.zeros(size),
        np.full(size, 4095),
        random.integers(0, 4096, size),
        values[::-1],
        np.rot90(values),
        values[:, ::-1],
        4095 - values,
        np.clip(values.astype(int) * 8, 0, 4095),
        2000 + values // 400,
    ]
    film.PixelData = np.ascontiguousarray(choices[int(random.integers(len(choices)))]).astype("<u2").tobytes()


def _shorten_pixels(film: Dataset, random: np.random.Generator) -> None:
    film.PixelData = film.PixelData[: 2 * int(random.integers(0, len(film.PixelData) // 2))]


def _claim_syntax(film: Dataset, random: np.random.Generator) -> None:
    film.file_meta.TransferSyntaxUID = (JPEG2000Lossless, RLELossless)[int(random.integers(2))]
    film["PixelData"].VR, film["PixelData"].is_undefined_length = "OB", True
    film.PixelData = b"\xfe\xff\x00\xe0\x00\x00\x00\x00\xfe\xff\x00\xe0\x10\x00\x00\x00" + random.bytes(16)


def _nest_deeply(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    opening = b"\x40\x00\x75\x02SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    path = save(film, folder)
    content = path.read_bytes()
    place = content.index(b"\x28\x00\x02\x00US")  # before Samples per Pixel: whatever follows lies inside
    path.write_bytes(content[:place] + opening * int(random.integers(200, 20_000)) + content[place:])


def _cut(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    path = save(film, folder)
    content = path.read_bytes()
    path.write_bytes(content[: int(random.integers(0, len(content)))])


def _flip_bytes(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    path = save(film, folder)
    content = bytearray(path.read_bytes())
    header = len(content) - len(film.PixelData)
    for place in random.integers(0, header, int(random.integers(1, 20))):
        content[place] = int(random.integers(256))
    path.write_bytes(bytes(content))


def _inflate(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    film.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = save(film, folder)
    content = path.read_bytes()
    meta_end = 132 + 12 + int.from_bytes(content[140:144], "little")
    packer, block = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS), bytes(1_000_000)
    start = packer.compress(zlib.decompress(content[meta_end:], -zlib.MAX_WBITS)) + packer.flush(zlib.Z_FULL_FLUSH)
    zeros = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)  # may be repeated: it refers to nothing before
    path.write_bytes(content[:meta_end] + start + zeros * (BOMB_BYTES // len(block)) + packer.flush())


def _damage_deflated(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    film.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = save(film, folder)
    content = bytearray(path.read_bytes())
    place = int(random.integers(len(content) // 2, len(content)))
    content[place : place + 40] = random.bytes(40)
    path.write_bytes(bytes(content))


def _add_other_patient(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    save(film, folder)
    keyword = str(random.choice(["PatientID", "StudyInstanceUID"]))
    setattr(film, keyword, "MUTANT-4712" if keyword == "PatientID" else generate_uid(entropy_srcs=["another"]))
    film.SOPInstanceUID = generate_uid(entropy_srcs=["second"])
    save(film, folder, "second.dcm")


def _add_broken_report(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    save(film, folder)
    report = Dataset()
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID"):
        setattr(report, keyword, film.get(keyword))
    report.file_meta = film.file_meta
    report.Modality, report.SOPInstanceUID = "SR", generate_uid(entropy_srcs=["report"])
    report.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.33"
    item, concept = Dataset(), Dataset()
    concept.CodeValue, concept.CodingSchemeDesignator, concept.CodeMeaning = "XRKL", "99OAI", "grade"
    item.ValueType = str(random.choice(["NUM", "CODE", "TEXT", "BOGUS", ""]))
    item.ConceptNameCodeSequence = [concept] * int(random.integers(0, 3))
    item.TextValue = str(random.choice(["9", "two", "-1", "Verborgen"]))
    report.ContentSequence = [item] * int(random.integers(0, 4))
    save(report, folder, "report.dcm")


def _spoil_picture(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    start = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0")[int(random.integers(2))]
    (folder / "film.png").write_bytes(start + random.bytes(int(random.integers(0, 2000))))


def _leave_nothing(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    (folder / "film.dcm").symlink_to("film.dcm")


HARMFUL: Final[dict[str, Study]] = {
    "attribute removed": edited(_remove),
    "attribute emptied": edited(_empty),
    "absurd value": edited(_set_absurd),
    "wrong VR": edited(_set_wrong_vr),
    "other pixels": edited(_change_pixels),
    "pixels cut off": edited(_shorten_pixels),
    "pixels of another syntax": edited(_claim_syntax),
    "endless nesting": _nest_deeply,
    "file cut off": _cut,
    "bytes changed": _flip_bytes,
    "deflated bomb": _inflate,
    "damaged deflated stream": _damage_deflated,
    "another patient or study": _add_other_patient,
    "broken report": _add_broken_report,
    "broken picture": _spoil_picture,
    "only a link to itself": _leave_nothing,
}
"""Name to mutation."""
