from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import DigitalXRayImageStorageForPresentation

from monai_xray2mri.errors import UsageError
from monai_xray2mri.radiograph.reading import read_radiograph
from monai_xray2mri.simulation.knee.film.film import SimulatedFilm
from monai_xray2mri.simulation.knee.film.film_options import FilmOptions
from monai_xray2mri.simulation.knee.people.seeds import TRAINING
from monai_xray2mri.simulation.knee.release.film_dicom import film_image
from monai_xray2mri.simulation.knee.release.layout import mr_barcode, places
from monai_xray2mri.simulation.knee.release.oddities import ImageOddities, draw_oddities
from monai_xray2mri.simulation.knee.release.writer import is_complete, remove_drafts, write_participant
from monai_xray2mri.types import Box, Side


@pytest.fixture
def copy(release, tmp_path):
    """A copy of the release that a test may damage."""
    return shutil.copytree(release, tmp_path / "copy")


def test_folders_are_oai_s(release, participant):
    where = places(participant)
    day = f"{participant.exam_date:%Y%m%d}"
    top = f"00m/0.{participant.cohort}.2/{participant.number}/{day}"
    assert where.film.as_posix() == f"{top}/{participant.barcode[4:]}"
    assert where.mr.as_posix() == f"{top}/{mr_barcode(participant)[4:]}"
    assert where.film.name[0] == "0" and where.mr.name[0] == "1" and len(where.film.name) == len(where.mr.name) == 8
    assert [path.name for path in (release / where.film).iterdir()] == ["001"]
    assert sorted(path.name for path in (release / where.mr).iterdir()) == [f"{n:03d}" for n in range(1, 81)]


def test_film_is_the_participant_s_and_reads_back(release, participant, settings):
    path = release / places(participant).film / "001"
    header = dcmread(path, stop_before_pixels=True)
    assert (header.PatientID, header.AccessionNumber) == (str(participant.number), participant.barcode)
    assert header.SeriesDescription == "Bilateral PA Fixed Flexion Knee"
    assert header.ClinicalTrialTimePointID == "00m"
    assert header.PatientAge == f"{participant.age_years:03d}Y"
    assert header.SyntheticData == "YES"
    assert read_radiograph(path).sides == (Side.RIGHT, Side.LEFT)


def test_film_shows_the_grades_that_the_tables_state(release, participant):
    record = json.loads((release / places(participant).truth / "truth.json").read_text())
    assert {side: record["knees"][side.value]["grades"] for side in Side} == participant.grades
    assert participant.grades[Side.RIGHT] != participant.grades[Side.LEFT]


def test_complete_participant_is_recognised(release, participant, settings):
    assert is_complete(release, participant, settings)
    assert is_complete(release, participant, settings, thorough=True)


def cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("film/001", cut),
        ("mr/080", cut),
        ("mr/040", lambda path: path.unlink()),
        ("truth/labels.seg.nrrd", cut),
        ("truth/truth.json", lambda path: path.unlink()),
        ("truth/manifest.json", cut),
        ("truth/manifest.json", lambda path: path.write_text("[]")),
        ("truth/manifest.json", lambda path: path.unlink()),
    ],
)
def test_damaged_participant_is_not_complete(copy, participant, settings, name, damage):
    kind, file = name.split("/")
    damage(copy / getattr(places(participant), kind) / file)
    assert not is_complete(copy, participant, settings)


def test_changed_byte_is_found_by_the_thorough_check_only(copy, participant, settings):
    path = copy / places(participant).mr / "040"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert is_complete(copy, participant, settings)
    assert not is_complete(copy, participant, settings, thorough=True)


def test_drafts_of_killed_runs_are_removed_and_nothing_else(copy, contents, participant):
    before = contents(copy)
    images = places(participant).images
    for draft in (copy / ".release.json.77.part", copy / "00m" / ".contents.csv.77.part"):
        draft.write_text("half")
    for folder in (images.parent / ".9000296.abc.part" / "20040909", copy / "truth" / ".9000296.abc.part"):
        (copy / folder).mkdir(parents=True)
        (copy / folder / "001").write_text("half")
    gradings = next(copy.glob("X-Ray Image*/Semi*"))
    (gradings / ".kXR_SQ_BU00.txt.77.part").write_text("half")
    remove_drafts(copy)
    assert contents(copy) == before


def test_participant_of_a_place_that_cannot_be_written_is_refused(tmp_path, participant, settings):
    (tmp_path / "00m").write_text("a file where a folder should be")
    with pytest.raises(UsageError, match="cannot be written"):
        write_participant(tmp_path, participant, settings)


def test_oddities_are_drawn_only_on_request_and_all_occur():
    assert all(draw_oddities(seed, "none") == ImageOddities() for seed in range(TRAINING.start, TRAINING.start + 50))
    drawn = [draw_oddities(seed, "oai") for seed in range(TRAINING.start, TRAINING.start + 400)]
    assert drawn == [draw_oddities(seed, "oai") for seed in range(TRAINING.start, TRAINING.start + 400)]
    assert {one.spacing for one in drawn} == {"ImagerPixelSpacing", "PixelSpacing", None}
    assert 60 < sum(one.anterior_first for one in drawn) < 140


def flat_film(participant, **options):
    boxes = {side: Box(10, 20 + 200 * number, 100, 100) for number, side in enumerate(Side)}
    pixels = np.random.default_rng(3).random((300, 400), np.float32)
    return SimulatedFilm(pixels, boxes, participant.grades, 5, options=FilmOptions(**options))


def test_odd_films(participant):
    film = flat_film(participant)
    usual = film_image(film, participant, ImageOddities())
    odd = film_image(film, participant, ImageOddities(spacing="PixelSpacing"))
    bare = film_image(film, participant, ImageOddities(spacing=None))
    assert usual.ImagerPixelSpacing == odd.PixelSpacing == [0.3, 0.3]
    assert "ImagerPixelSpacing" not in odd
    assert "PixelSpacing" not in bare and "ImagerPixelSpacing" not in bare
    assert len({usual.SOPInstanceUID, odd.SOPInstanceUID, bare.SOPInstanceUID}) == 3


def test_digital_radiographs_keep_their_spacing_and_their_class(participant):
    image = film_image(flat_film(participant, modality="DX"), participant, ImageOddities(spacing=None))
    assert (image.Modality, image.ImagerPixelSpacing) == ("DX", [0.3, 0.3])
    assert image.file_meta.MediaStorageSOPClassUID == image.SOPClassUID == DigitalXRayImageStorageForPresentation
