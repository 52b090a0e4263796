"""What has to come of inputs as hospitals, vendors and people make them: ``shared/data/field`` beside the project."""

from __future__ import annotations

from dataclasses import dataclass

from monai_xray2mri.errors import ExitCode


@dataclass(frozen=True)
class Expected:
    """What has to come of a study.

    Attributes:
        code: exit code.
        films: side to film, of the knees that are used.
        said: regular expressions that are found in the refusal, or in the remarks, about the film or its report.
        beside: such expressions about other files of the study.
        options: of the request: ``{"side": "R"}``.
    """

    code: ExitCode = ExitCode.DONE
    films: tuple[tuple[str, str], ...] = (("right", "film.dcm"),)
    said: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    options: tuple[tuple[str, object], ...] = ()


FIELD = {
    # what changes a film's validity
    "rejected_by_kos": Expected(films=(("right", "1.dcm"),), beside=(r"2\.dcm: rejected \(113001",)),
    "raw_and_processed_pair": Expected(films=(("right", "1.dcm"),), beside=(r"2\.dcm: an image FOR PROCESSING",)),
    "derived_copy_exit8": Expected(films=(("right", "1.dcm"),), beside=(r"2\.dcm",)),
    # films are not knees
    "lateral_without_view_exit8": Expected(films=(("right", "ap.dcm"),), beside=(r"lat\.dcm",)),
    "cd_with_viewer_pictures": Expected(
        films=(("right", "DICOM/PAT0/ST0/SE0/IM0"),), beside=("VIEWER/logo.png: a picture beside", "thumb.jpg")
    ),
    "no_study_uid_check_says_ok": Expected(ExitCode.INPUT_REFUSED, said=("needs a Study Instance UID",)),
    # bits
    "bits_stored_one_too_small": Expected(said=(r"values of 16 bits are used, Bits Stored .* says 15",)),
    "j2k_precision_above_bits_stored": Expected(said=(r"values of 12 bits are used, Bits Stored .* says 10",)),
    # tables and windows
    "voi_lut_12bit_in_16": Expected(said=(r"LUT Descriptor \(0028,3002\) says 16 bits, the entries have 12",)),
    "voi_lut_8bit_packed": Expected(),
    "window_width_0": Expected(said=(r"Window Width \(0028,1051\) 0\) is not applied",)),
    "voi_function_two_values": Expected(said=(r"VOI LUT Function \(0028,1056\) has 2 values",)),
    # sides
    "laterality_written_out": Expected(),
    "laterality_written_out_contradicts": Expected(
        ExitCode.INPUT_REFUSED,
        said=(r'ImageLaterality says left \("LEFT"\), SeriesDescription says right \("right"\)',),
    ),
    "spanish_leve_mild": Expected(),
    # values that stand for none
    "body_part_none": Expected(),
    "body_part_genu": Expected(),
    "imager_spacing_0_pixel_spacing_good": Expected(said=("ImagerPixelSpacing holds no spacing: PixelSpacing used",)),
    "dummy_dates_equal": Expected(said=("the patient's age is unknown",)),
    "patient_orientation_invalid": Expected(said=("Patient Orientation is no orientation",)),
    # reports of others
    "vendor_kl_report": Expected(said=(r"\(KL, 99VENDOR\) is not known; read as XRKL", r"\(JSW_MED, 99VENDOR\)")),
    # pictures and folders
    "jpeg_exif_mirrored/1000000L.jpg": Expected(
        ExitCode.INPUT_REFUSED, said=("must look like a left knee",), options=(("assume_spacing", True),)
    ),
    "jpeg_exif_mirrored/exif3_9003126R.jpg": Expected(
        films=(("right", "exif3_9003126R.jpg"),),
        said=("turned or mirrored as its EXIF orientation says",),
        options=(("side", "R"), ("assume_spacing", True)),
    ),
    "zip_only": Expected(ExitCode.INPUT_REFUSED, said=(r"study\.zip \(a zip archive\)", "Unpack")),
    # own results
    "own_result_report_without_0008001C": Expected(beside=("1 result of an earlier synthesis",)),
}
"""Folder to what has to come of it."""
