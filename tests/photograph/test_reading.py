"""Photographs from files: what is taken, what is dropped, what is refused."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    VLPhotographicImageStorage,
    generate_uid,
)

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.photograph import read_photograph
from monai_xray2mri.types import Side

SECRET = "Jane Doe, 52.5200 N 13.4050 E"


def picture(rows: int = 80, columns: int = 120) -> np.ndarray:
    """Colors [H,W,3] that are different everywhere."""
    v, u = np.mgrid[0:rows, 0:columns]
    return np.stack((2 * v, 2 * u, v + u), -1).astype(np.uint8)


def photographic(pixels: np.ndarray, **values: object) -> Dataset:
    """A VL Photographic image."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = VLPhotographicImageStorage
    dataset.SOPClassUID, dataset.Modality = VLPhotographicImageStorage, "XC"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.PatientName, dataset.PatientID = SECRET, "7"
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = pixels.tobytes()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def written(dataset: Dataset, path: Path) -> Path:
    """The file of a data set."""
    dataset.save_as(path, enforce_file_format=True)
    return path


def test_a_png_is_read_as_it_is(tmp_path: Path) -> None:
    Image.fromarray(picture()).save(tmp_path / "a.png")
    read = read_photograph(tmp_path / "a.png")
    assert np.array_equal(read.pixels, picture())
    assert (read.reduction, read.dataset, read.sides) == (1.0, None, ())
    assert read.identity == read_photograph(tmp_path / "a.png", name="another").identity


def test_exif_orientation_is_honored_and_nothing_else_of_it_is_kept(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, SECRET  # Orientation, ImageDescription
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)  # GPSLatitude
    Image.fromarray(picture()).save(tmp_path / "a.jpg", exif=exif, quality=95, comment=SECRET.encode())
    read = read_photograph(tmp_path / "a.jpg")
    assert read.pixels.shape == (120, 80, 3)
    assert np.abs(read.pixels.astype(int) - np.rot90(picture(), -1)).mean() < 4
    assert SECRET not in repr(read)


def test_text_of_a_png_is_dropped(tmp_path: Path) -> None:
    info = PngInfo()
    info.add_text("Comment", SECRET)
    Image.fromarray(picture()).save(tmp_path / "a.png", pnginfo=info)
    assert SECRET not in repr(read_photograph(tmp_path / "a.png"))


def test_grey_deep_and_transparent_pictures_become_colors(tmp_path: Path) -> None:
    gray = picture()[..., 0]
    Image.fromarray(gray).save(tmp_path / "grey.png")
    Image.fromarray(gray.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    layered = np.dstack((picture(), np.where(gray > 60, 255, 0).astype(np.uint8)))
    Image.fromarray(layered).save(tmp_path / "cut.png")
    for name in ("grey.png", "deep.png"):
        assert np.array_equal(read_photograph(tmp_path / name).pixels, np.repeat(gray[..., None], 3, 2)), name
    cut = read_photograph(tmp_path / "cut.png").pixels
    assert not cut[gray <= 60].any()
    assert np.array_equal(cut[gray > 60], picture()[gray > 60])


def test_a_large_photograph_is_held_smaller(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((3000, 5000, 3), np.uint8)).save(tmp_path / "a.jpg")
    read = read_photograph(tmp_path / "a.jpg")
    assert max(read.pixels.shape) <= 2500
    assert read.pixels.shape[1] * read.reduction == pytest.approx(5000, rel=1e-3)


def test_a_dicom_photograph_is_read_with_its_side(tmp_path: Path) -> None:
    file = written(photographic(picture(), ImageLaterality="L"), tmp_path / "a.dcm")
    read = read_photograph(file)
    assert np.array_equal(read.pixels, picture())
    assert (read.sides, read.sides_source) == ((Side.LEFT,), "ImageLaterality")
    assert read.dataset is not None and "PixelData" not in read.dataset
    assert read.identity == read.dataset.SOPInstanceUID


def test_sides_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    file = written(photographic(picture(), ImageLaterality="L", Laterality="R"), tmp_path / "a.dcm")
    with pytest.raises(InputRefused, match="agree"):
        read_photograph(file)


def test_what_is_no_photograph_is_refused_by_name(tmp_path: Path) -> None:
    film = written(photographic(picture(), Modality="DX"), tmp_path / "film.dcm")
    with pytest.raises(InputRefused, match="modality DX"):
        read_photograph(film)
    own = written(
        photographic(picture(), SeriesDescription="SYNTHETIC foot, not for clinical use"), tmp_path / "own.dcm"
    )
    with pytest.raises(InputRefused, match="result of this software"):
        read_photograph(own)
    (tmp_path / "a.txt").write_text("no picture at all, but long enough to be looked at " * 9)
    with pytest.raises(InputRefused, match="another kind of file"):
        read_photograph(tmp_path / "a.txt")
    with pytest.raises(UsageError, match="none of that name"):
        read_photograph(tmp_path / "missing.png")


def test_damaged_files_are_refused_without_quoting_them(tmp_path: Path) -> None:
    with io.BytesIO() as stream:
        Image.fromarray(picture()).save(stream, "PNG")
        content = stream.getvalue()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputRefused, match="cut off or damaged"):
        read_photograph(tmp_path / "cut.png")
    short = written(photographic(picture(), PixelData=b"\0" * 100), tmp_path / "short.dcm")
    with pytest.raises(InputRefused, match="cut off or damaged") as caught:
        read_photograph(short)
    assert SECRET not in str(caught.value)


def png(side: int, *more: tuple[bytes, bytes]) -> bytes:
    """A PNG file that says it has so many pixels a side, with further chunks."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunk(*each) for each in more) + pixels


def test_a_decompression_bomb_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    with io.BytesIO() as stream:
        Image.fromarray(picture()).save(stream, "JPEG")
        small = stream.getvalue()
    (tmp_path / "bomb.png").write_bytes(png(60000))
    (tmp_path / "bomb.jpg").write_bytes(small.replace(struct.pack(">HH", 80, 120), struct.pack(">HH", 60000, 60000), 1))
    written(photographic(picture(), Rows=60000, Columns=60000), tmp_path / "bomb.dcm")
    for name in ("bomb.png", "bomb.jpg", "bomb.dcm"):
        with pytest.raises(InputRefused, match="at most 80 million pixels"):
            read_photograph(tmp_path / name)


def test_a_bomb_in_the_text_of_a_png_and_a_deflated_one_are_refused(tmp_path: Path) -> None:
    text = b"Comment\0\0" + zlib.compress(b"\0" * 3_000_000)
    (tmp_path / "text.png").write_bytes(png(100, (b"zTXt", text)))
    with pytest.raises(InputRefused, match="damaged"):
        read_photograph(tmp_path / "text.png")
    head = photographic(picture())
    head.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    file = written(head, tmp_path / "deflated.dcm")
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = b"".join(packer.compress(b"\0" * 10_000_000) for _ in range(26)) + packer.flush()
    length = 144 + int(dcmread(file, stop_before_pixels=True).file_meta.FileMetaInformationGroupLength)
    file.write_bytes(file.read_bytes()[:length] + body)
    with pytest.raises(InputRefused, match="inflate to at most 256 MB"):
        read_photograph(file)


def test_of_several_pictures_in_a_jpeg_the_first_is_the_photograph(tmp_path: Path) -> None:
    first, second = Image.fromarray(picture()), Image.fromarray(picture(40, 60))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second], quality=95)
    assert Image.open(tmp_path / "a.jpg").format == "MPO"
    read = read_photograph(tmp_path / "a.jpg")
    assert read.pixels.shape == (80, 120, 3)
    assert np.abs(read.pixels.astype(int) - picture()).mean() < 4


def test_a_transparent_color_is_black(tmp_path: Path) -> None:
    pixels = picture()
    pixels[:20] = 255, 0, 255
    Image.fromarray(pixels).save(tmp_path / "a.png", transparency=(255, 0, 255))
    Image.fromarray(pixels).quantize(64).save(tmp_path / "palette.png", transparency=0)
    assert not read_photograph(tmp_path / "a.png").pixels[:20].any()
    palette = read_photograph(tmp_path / "palette.png").pixels
    with Image.open(tmp_path / "palette.png") as stored:
        clear = np.asarray(stored) == 0
    assert clear.any() and not palette[clear].any()


def test_tiny_and_animated_pictures_are_refused(tmp_path: Path) -> None:
    Image.fromarray(picture(20, 30)).save(tmp_path / "tiny.png")
    with pytest.raises(InputRefused, match="30 x 20"):
        read_photograph(tmp_path / "tiny.png")
    frames = [Image.fromarray(np.roll(picture(), step, 0)) for step in (0, 5)]
    frames[0].save(tmp_path / "two.png", save_all=True, append_images=frames[1:])
    with pytest.raises(InputRefused, match="2 frames"):
        read_photograph(tmp_path / "two.png")
