"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import stat

import pytest

from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.files import whole_directory, whole_file, write_whole


def test_a_file_is_written_with_its_folder_and_replaces_the_old_one(tmp_path):
    path = tmp_path / "a/b/c.txt"
    write_whole(path, b"old")
    assert write_whole(path, b"new") == path
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_a_usage_error_that_names_no_folder(tmp_path):
    (tmp_path / "secret").write_text("a file, not a folder")
    with pytest.raises(UsageError, match=r"output x.dcm: cannot be written") as error:
        write_whole(tmp_path / "secret/x.dcm", b"")
    assert str(tmp_path) not in str(error.value)
    with pytest.raises(UsageError, match="output x: cannot be written"), whole_directory(tmp_path / "secret/x"):
        raise AssertionError("must not get here")


def test_a_folder_appears_only_when_the_block_has_ended(tmp_path):
    path = tmp_path / "out"
    with whole_directory(path) as draft:
        (draft / "f").write_text("x")
        assert not path.exists()
    assert [entry.name for entry in path.iterdir()] == ["f"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o777 & ~current_umask()


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_an_error_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), whole_directory(tmp_path / "out") as draft:
        (draft / "f").write_text("x")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_disk_becomes_a_usage_error_and_leaves_nothing(tmp_path):
    with pytest.raises(UsageError, match="No space left"), whole_directory(tmp_path / "out"):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_may_be_there(tmp_path):
    (tmp_path / "out").mkdir()
    with whole_directory(tmp_path / "out") as draft:
        (draft / "f").write_text("x")
    assert (tmp_path / "out/f").exists()


def test_a_large_file_is_written_beside_its_place(tmp_path):
    path = tmp_path / "out" / "large.bin"
    with whole_file(path) as draft:
        draft.write_bytes(b"half")
        assert not path.exists()
    assert path.read_bytes() == b"half"
    with pytest.raises(KeyboardInterrupt), whole_file(path) as draft:
        draft.write_bytes(b"other")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"half"
    assert list(path.parent.iterdir()) == [path]
