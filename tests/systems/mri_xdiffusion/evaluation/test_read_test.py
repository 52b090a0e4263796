"""The reading study: order, blinding, answers, intervals, and a real server on loopback."""

from __future__ import annotations

import csv
import http.client
import io
import threading
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image

from monai_xray2mri.cli import main
from monai_xray2mri.core.nifti import write_nifti
from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.systems.mri_xdiffusion.evaluation.read_test.pairs import PLANES, find_pairs, section_png
from monai_xray2mri.systems.mri_xdiffusion.evaluation.read_test.scores import (
    CRITERIA,
    ScoreFile,
    exact_interval,
    summary,
)
from monai_xray2mri.systems.mri_xdiffusion.evaluation.read_test.server import ReadTestServer
from monai_xray2mri.types import Volume

NAMES = [f"case{number}" for number in range(8)]


def volume(value: float, slices: int = 6) -> Volume:
    voxels = np.random.default_rng(0).random((slices, 10, 12)).astype(np.float32)
    voxels[:, :5] += value
    return Volume(voxels, np.array([[1, 0, 0, 0], [0, 0, 2, 0], [0, -1, 0, 0], [0, 0, 0, 1]], float))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("read_test")
    for kind, value in (("real", 1.0), ("generated", 2.0)):
        (folder / kind).mkdir()
        for name in NAMES:
            write_nifti(folder / kind / f"{name}.nii.gz", volume(value))
    write_nifti(folder / "real" / "alone.nii.gz", volume(1.0))
    return folder / "real", folder / "generated"


def test_order_and_sides_are_the_readers_own(folders: tuple[Path, Path]) -> None:
    first, again, other, seeded = (
        find_pairs(*folders, reader, seed) for reader, seed in (("a", 0), ("a", 0), ("b", 0), ("a", 1))
    )
    assert first == again and first != other and first != seeded
    assert sorted(pair.case for pair in first) == NAMES
    assert {pair.shown for pair in first} == {("real", "generated"), ("generated", "real")}


def test_pairs_that_can_be_told_apart_by_their_grid_are_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    write_nifti(tmp_path / "case0.nii.gz", volume(1.0, slices=7))
    (pair,) = find_pairs(folders[0], tmp_path, "a", 0)
    with pytest.raises(InputRefused, match="one shape"):
        pair.check()
    with pytest.raises(UsageError, match="no name in both"):
        find_pairs(folders[0], tmp_path.parent, "a", 0)
    with pytest.raises(UsageError, match="must be a folder"):
        find_pairs(folders[0], tmp_path / "none", "a", 0)


def test_pictures_have_square_pixels(folders: tuple[Path, Path]) -> None:
    shown = find_pairs(*folders, "a", 0)[0].volume("A")
    sizes = {}
    for plane in PLANES:
        with Image.open(io.BytesIO(section_png(shown, plane, 0.5))) as picture:
            sizes[plane] = picture.size
    # 12 mm to the left, 10 mm down, 12 mm to the back
    assert sizes == {"slices": (320, 267), "rows": (320, 320), "columns": (320, 267)}


@pytest.mark.parametrize(("hits", "count", "interval"), [(8, 20, (0.191, 0.639)), (0, 10, (0.0, 0.308))])
def test_intervals_are_exact(hits: int, count: int, interval: tuple[float, float]) -> None:
    assert exact_interval(hits, count) == pytest.approx(interval, abs=1e-3)


class Reader:
    """A browser."""

    def __init__(self, server: ReadTestServer) -> None:
        self.server = server

    def ask(self, method: str, path: str, body: str | None = None, host: str | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=20)
        connection.request(method, path, body, {"Host": host or f"127.0.0.1:{self.server.server_port}"})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content

    def answer(self, number: int, **changed: str) -> tuple[int, bytes]:
        fields = {f"{side}_{name}": "7" for side in "AB" for name in CRITERIA}
        fields |= {"guess": "A", "pair": str(number), "token": self.server.token} | changed
        return self.ask("POST", "/answer", urlencode(fields))


def test_a_reader_answers_all_pairs(folders: tuple[Path, Path], tmp_path: Path) -> None:
    pairs, path = find_pairs(*folders, "a", 0)[:2], tmp_path / "scores.csv"
    with ReadTestServer(pairs, "a", ScoreFile(path)) as server:
        thread = threading.Thread(target=server.ask_all)
        thread.start()
        reader = Reader(server)
        status, content = reader.ask("GET", "/")
        text = content.decode()
        assert status == 200 and "Pair 1 of 2" in text and text.count("<select") == 20
        assert not any(name in text for name in (*NAMES, "nii", "read_test"))  # blinded
        assert reader.ask("GET", "/picture?pair=0&side=B&plane=rows&at=3")[1].startswith(b"\x89PNG")
        for path_ in ("/picture?pair=9&side=B&plane=rows&at=3", "/picture?pair=0&side=C&plane=rows&at=3", "/x"):
            assert reader.ask("GET", path_)[0] == 404
        assert reader.ask("GET", "/", host="elsewhere.example:80")[0] == 404
        assert reader.answer(0, token="other")[0] == 403
        assert b"must be 1 to 10" in reader.answer(0, A_marrow="11")[1]
        assert not path.exists()
        assert reader.answer(0, B_marrow="3")[0] == 303
        assert reader.answer(0)[0] == 303  # sent twice
        assert reader.answer(1, guess="none")[0] == 303
        assert b"2 pairs are answered" in reader.ask("GET", "/")[1]
        thread.join(20)
        assert not thread.is_alive()
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["case"], row["side"], row["volume"]) for row in rows] == [
        (pair.case, side, shown) for pair in pairs for side, shown in zip("AB", pair.shown, strict=True)
    ]
    assert [row["marrow"] for row in rows] == ["7", "3", "7", "7"]
    assert [row["taken_for"] for row in rows] == ["generated", "real", "undecided", "undecided"]
    assert ReadTestServer(pairs, "a", ScoreFile(path)).next_pair is None
    assert ReadTestServer(pairs, "b", ScoreFile(path)).next_pair == 0


def test_the_summary_says_what_was_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "scores.csv"
    rows = [
        {
            "reader": "a", "case": str(number), "side": side, "volume": kind,
            **{name: "8" if kind == "real" else "6" for name in CRITERIA},
            "taken_for": kind if number < 8 else "undecided", "seconds": "20",
        }
        for number in range(20)
        for side, kind in (("A", "real"), ("B", "generated"))
    ]  # fmt: skip
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert main(["read-test", "--scores", str(path), "--summary"]) == 0
    printed = capsys.readouterr().out
    assert "40% [19%, 64%]" in printed and "| cartilage | 8.0 | 6.0 | -2.0 |" in printed
    assert summary([]) == []
    assert main(["read-test", "--scores", str(path)]) == 2 and "--real FOLDER" in capsys.readouterr().err
    path.write_text("other,columns\n")
    assert main(["read-test", "--scores", str(path), "--summary"]) == 2
