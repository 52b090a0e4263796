"""Files and folders that appear whole or not at all: written beside their place, then renamed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from monai_xray2mri.errors import UsageError


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file; readers see the old one, or none, until all bytes are there.

    Args:
        path: the file; its folder is made if needed.
        content: its bytes.

    Returns:
        `path`.

    Raises:
        UsageError: the file cannot be written.
    """
    with whole_file(path) as draft:
        draft.write_bytes(content)
    return path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file that takes its place only if the block ends without an error: for content too large to be held at once.

    Args:
        path: the file; its folder is made if needed.

    Yields:
        A path beside it to write to.

    Raises:
        UsageError: the file cannot be written.
    """
    path = Path(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        draft.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with suppress(OSError):
            draft.unlink()


@contextmanager
def whole_directory(path: Path) -> Iterator[Path]:
    """A folder that comes into being only if the block ends without an error.

    Args:
        path: the folder; it must not exist, or be empty.

    Yields:
        A folder beside it to write into.

    Raises:
        UsageError: the folder exists and holds something, or cannot be written.
    """
    path = Path(path)
    try:
        if path.exists() and any(path.iterdir()):
            raise UsageError(
                f"output folder {path.name}", "must not exist or be empty", "files in it", "Choose another folder."
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield draft
        draft.chmod(0o777 & ~_umask())  # mkdtemp makes private folders
        draft.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def require_free(output: Path, names: Iterable[str]) -> None:
    """Check before a long computation that its results can be written; makes the output folder.

    Args:
        output: folder of all results.
        names: of the folders to be made in it.

    Raises:
        UsageError: it cannot be made or written, or a result lies there already.
    """
    output = Path(output)
    what, remedy = f"output folder {output.name}", "Choose another folder or correct its permissions."
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(what, "must be a folder that can be made", error.strerror or "an error", remedy) from error
    if not os.access(output, os.W_OK | os.X_OK):
        raise UsageError(what, "must be writable", "no permission", remedy)
    for name in names:
        directory = output / name
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise UsageError(what, f"must not hold {name} yet", "an earlier result", "Choose another folder.")


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"output {path.name}",
        "cannot be written",
        error.strerror or type(error).__name__,
        "Choose a place that can be written and has room.",
    )


@contextmanager
def lock_folder(root: Path) -> Iterator[None]:
    """Keep other runs out of a folder while the block runs; the lock ends with the process, however that ends.

    Raises:
        UsageError: another run holds it.
    """
    descriptor = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"output folder {root.name}", "must be used by one run at a time", "another run", "Wait for it."
            ) from error
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        with suppress(OSError):
            os.close(descriptor)
