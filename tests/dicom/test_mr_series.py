"""The MR series: every attribute read back, conformance, what is burnt in and cut."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from monai_xray2mri.core.identity import fingerprint
from monai_xray2mri.dicom.burn_in import word_mask
from monai_xray2mri.dicom.mr_image import SlicePlane, SyntheticMRImage
from monai_xray2mri.dicom.mr_series import build_images, build_mr_series
from monai_xray2mri.dicom.source import anonymous_source
from monai_xray2mri.dicom.synthetic_image import SeriesRecord, labeled_pixels, stored_pixels, write_images
from monai_xray2mri.dicom.uids import dataset_digest, encoded
from monai_xray2mri.dicom.uncertainty import UncertaintyImage
from monai_xray2mri.types import Volume
from tests.helpers.designed_pixels import DESIGNED
from tests.helpers.dicom_objects import LEFT, RIGHT, WEIGHTS, origin, small


def plain(value: object) -> object:
    """A DICOM value as plain Python, sequences as lists of mappings."""
    if isinstance(value, Sequence):
        return [{element.keyword: plain(element.value) for element in item} for item in value]
    if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue":
        return [plain(single) for single in value]
    return value if isinstance(value, (int, float, bytes)) or value is None else str(value)


def test_every_attribute_of_every_slice_is_as_designed(tmp_path, phantom, film, report):
    images = build_mr_series(phantom, RIGHT, origin(film, report), label="none")
    paths = write_images(tmp_path / "series", images)
    assert [path.name for path in paths] == [f"IM_{number:04d}.dcm" for number in range(1, 51)]
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "series", *paths]
    first = dcmread(paths[0])
    series = {name: first[name].value for name in ("SeriesInstanceUID", "FrameOfReferenceUID")}
    uids = set()
    for index, path in enumerate(paths):
        read = dcmread(path)
        y = -36.75 + 1.5 * index
        expected = (
            DESIGNED
            | series
            | {
                "SOPInstanceUID": read.SOPInstanceUID,
                "InstanceNumber": index + 1,
                "SliceLocation": y,
                "ImagePositionPatient": [-79.6875, y, 79.6875],
                "PixelData": np.rint(phantom.voxels[index] * 4095).astype("<u2").tobytes(),
            }
        )
        assert {element.keyword: plain(element.value) for element in read} == expected
        assert read.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        assert read.file_meta.MediaStorageSOPInstanceUID == read.SOPInstanceUID
        assert read.file_meta.ImplementationVersionName == "MONAI_XRAY2MRI"
        uids |= {read.SOPInstanceUID, read.SeriesInstanceUID, read.FrameOfReferenceUID}
    assert len(uids) == 52
    assert all(uid.is_valid and uid.startswith("2.25.") for uid in uids)


@pytest.mark.parametrize(("product", "slices"), [(RIGHT, 50), (LEFT, 2)], ids=["right", "left"])
def test_dciodvfy_finds_no_error_in_any_slice(tmp_path, phantom, film, report, product, slices, dciodvfy):
    paths = write_images(tmp_path / "s", build_mr_series(small(phantom, slices), product, origin(film, report)))
    assert [error for path in paths for error in dciodvfy(path)] == [] and len(paths) == slices


def test_dciodvfy_finds_no_error_where_the_source_is_poor(tmp_path, phantom, make_film, dciodvfy):
    poor = make_film(
        PatientName=None,
        PatientID=None,
        PatientBirthDate=None,
        PatientSex=None,
        StudyDate=None,
        StudyTime=None,
        AcquisitionDate=None,
        AcquisitionTime=None,
        StudyID=None,
        AccessionNumber=None,
        ReferringPhysicianName=None,
        DeidentificationMethod=None,
        PatientIdentityRemoved=None,
    )
    for path in write_images(tmp_path / "s", build_mr_series(small(phantom), RIGHT, origin(poor))):
        assert dciodvfy(path) == []
        read = dcmread(path)
        for keyword in (
            "PatientName",
            "PatientID",
            "PatientBirthDate",
            "PatientSex",
            "StudyDate",
            "StudyTime",
            "StudyID",
            "AccessionNumber",
            "ReferringPhysicianName",
        ):
            assert keyword in read and not read[keyword].value
        assert not {"SeriesDate", "ContentDate", "InstanceCreationDate", "AcquisitionDate"} & set(read.dir())


def test_no_device_identity_and_no_moment_of_writing_is_made_up(phantom, film):
    image = build_mr_series(small(phantom), RIGHT, origin(film))[0]
    absent = {
        "DeviceSerialNumber",
        "UDISequence",
        "DeviceUID",
        "InstitutionName",
        "MagneticFieldStrength",
        "ProtocolName",
        "InstanceCreationDate",
        "InstanceCreationTime",
        "AcquisitionDate",
        "AcquisitionDateTime",
        "ContributionDateTime",
    }
    assert not absent & {element.keyword for element in image.iterall()}


def test_lossy_compression_of_the_source_stays_declared(phantom, make_film):
    film = make_film(
        LossyImageCompression="01", LossyImageCompressionRatio=12.5, LossyImageCompressionMethod="ISO_10918_1"
    )
    image = build_mr_series(small(phantom), RIGHT, origin(film))[0]
    assert (image.LossyImageCompression, image.LossyImageCompressionRatio) == ("01", 12.5)
    assert image.LossyImageCompressionMethod == "ISO_10918_1"


def test_the_label_covers_one_corner_and_can_be_left_out(phantom, film):
    stored = stored_pixels(small(phantom).voxels)
    height, width = word_mask().shape
    for label in ("corner", "none"):
        for index, image in enumerate(build_mr_series(small(phantom), RIGHT, origin(film), label=label)):
            assert image.BurnedInAnnotation == "NO"
            changed = np.argwhere(image.pixel_array != stored[index])
            if label == "none":
                assert len(changed) == 0
                continue
            top, left = changed.min(axis=0)
            bottom, right = changed.max(axis=0)
            assert (top, left, bottom, right) == (254 - height, 2, 253, 1 + width)
            assert np.array_equal(image.pixel_array[top : bottom + 1, left : right + 1] == 4095, word_mask())


def test_intensities_are_clipped_and_rounded():
    voxels = np.array([-1.0, 0.0, 0.5 / 4095 + 1e-6, 0.25, 1.0, 7.0], np.float32).reshape(1, 1, 6)
    assert stored_pixels(voxels).ravel().tolist() == [0, 0, 1, 1024, 4095, 4095]


def test_the_constructor_makes_a_valid_image_of_nobody(tmp_path, phantom, dciodvfy):
    series = SeriesRecord(LEFT, origin(anonymous_source(b"picture")), 3, LEFT.images)
    image = SyntheticMRImage(stored_pixels(phantom.voxels)[0], SlicePlane.of_affine(phantom.affine, 0), series, 1)
    image.save_as(tmp_path / "one.dcm", enforce_file_format=True)
    assert dciodvfy(tmp_path / "one.dcm") == []
    assert image.PatientID == "ANONYMOUS" and image.Laterality == "L"


def test_a_long_provenance_is_cut_to_what_dicom_holds(tmp_path, phantom, film, dciodvfy):
    long = {f"option{number:03d}": "x" * 60 for number in range(100)}
    path = write_images(tmp_path / "s", build_mr_series(small(phantom), RIGHT, origin(film, **long)))[0]
    text = dcmread(path).ContributingEquipmentSequence[0].ContributionDescription
    assert len(text) <= 1024 and text.endswith(" ...") and WEIGHTS in text
    assert dciodvfy(path) == []


@pytest.mark.parametrize("kind", [SyntheticMRImage, UncertaintyImage])
def test_slices_made_from_their_neighbor_are_those_made_alone(
    kind: type[SyntheticMRImage], phantom: Volume, film: Dataset, report: Dataset
) -> None:
    record = SeriesRecord(RIGHT, origin(film, report), 7, "content")
    pixels = labeled_pixels(phantom.voxels[:3], "corner")
    made = build_images(kind, pixels, phantom.affine, record)
    alone = [
        kind(stored, SlicePlane.of_affine(phantom.affine, index), record, index + 1)
        for index, stored in enumerate(pixels)
    ]
    assert [one.own_digest for one in made] == [other.own_digest for other in alone]
    digest = fingerprint(record.origin.provenance, None, *(image.own_digest for image in alone))
    for one, other in zip(made, alone, strict=True):
        other.name_by(digest)
        assert encoded(one) == encoded(other)
    content = Dataset()
    content.update({element.tag: element for element in alone[1] if not element.keyword.endswith("InstanceUID")})
    content.StudyInstanceUID = alone[1].StudyInstanceUID
    del content.FrameOfReferenceUID
    assert dataset_digest(content) == alone[1].own_digest
    with pytest.raises(ValueError, match="must be of 256 x 256"):
        made[0].alike(np.zeros((4, 4), np.uint16), 4)
