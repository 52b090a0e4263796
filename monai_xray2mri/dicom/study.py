"""What comes in: the files of one study, sorted by kind. A study is a folder, at any depth, or one file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydicom import Dataset

from monai_xray2mri.dicom.files import read_header
from monai_xray2mri.dicom.inflation import require_bounded
from monai_xray2mri.dicom.kinds import Kind
from monai_xray2mri.dicom.own_results import is_own_result
from monai_xray2mri.dicom.patients import count_patients
from monai_xray2mri.dicom.placeholders import shown_code
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.rejection import Rejection, is_key_object_selection, rejection_of
from monai_xray2mri.dicom.structured_report import text_value
from monai_xray2mri.dicom.unopened import archive_kind, links_not_followed
from monai_xray2mri.errors import InputRefused, UsageError

OWN_RESULT = "result of an earlier synthesis"
"""What comes back with its study is no input: neither its images nor the features that its report names."""


@dataclass(frozen=True)
class StudyFile:
    """A file of the study.

    Attributes:
        name: path below the study's folder; how messages call it.
        path: where it is.
        header: DICOM header without pixels (of a report: all of it); None for a file that is not DICOM.
    """

    name: str
    path: Path
    header: Dataset | None = None


@dataclass(frozen=True)
class Study:
    """The files of one study that are of use.

    Attributes:
        files: of each kind that was asked for, by the kind's name, in the order of their paths.
        passed_over: what else there is: a modality, or words for it, and how often.
        unopened: archives and links to folders, which may hold more: ``study.zip (a zip archive)``.
        remarks: what was passed over and why.
    """

    files: Mapping[str, tuple[StudyFile, ...]]
    passed_over: Mapping[str, int] = field(default_factory=dict)
    unopened: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def of(self, kind: Kind) -> tuple[StudyFile, ...]:
        """The files of a kind."""
        return self.files.get(kind.name, ())

    def with_files(self, kind: Kind, files: Sequence[StudyFile], remarks: Sequence[str] = ()) -> Study:
        """The study with other files of one kind, and with further remarks."""
        return replace(self, files={**self.files, kind.name: tuple(files)}, remarks=(*self.remarks, *remarks))


@quiet()
def read_study(path: Path, kinds: Sequence[Kind]) -> Study:
    """Sort the files of a study.

    Args:
        path: a folder (read recursively), or one file.
        kinds: what is wanted; everything else is passed over with a remark. A kind of which there is no file is empty.
            Pictures beside DICOM objects of their kind are those of a viewer or copies, and passed over, too, and so
            is what a rejection note of the study names.

    Raises:
        UsageError: the path does not exist or cannot be read.
        InputRefused: files of two patients or of two studies, of a kind that must be of one; a deflated file that
            would fill the memory.
    """
    path = Path(path)
    if not path.exists():
        raise UsageError("input", "must be a folder or a file", "nothing at that path", "Check the path.")
    sorting = _Sorting(kinds, {kind.name: [] for kind in kinds})
    for file in _files(path):
        name = file.name if path.is_file() else str(file.relative_to(path))
        kind = _kind_by_name(file, kinds, single=path.is_file())
        if kind is not None:
            sorting.found[kind.name].append(StudyFile(name, file))
        else:
            sorting.add(file, name)
    for name, link in links_not_followed(path) if path.is_dir() else ():
        sorting.leave_unopened(name, link, "was not followed")
    return sorting.study()


@dataclass
class _Sorting:
    """The files of a study while they are read.

    Attributes:
        kinds: what is wanted.
        found: of each kind, in the order of their paths.
        others: what else there is, and how often.
        unopened: archives and links to folders, with what they are.
        remarks: on single files.
        rejections: what is rejected, and by which file.
    """

    kinds: Sequence[Kind]
    found: dict[str, list[StudyFile]]
    others: Counter[str] = field(default_factory=Counter)
    unopened: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    rejections: dict[str, Rejection] = field(default_factory=dict)

    def add(self, file: Path, name: str) -> None:
        """Sort a file that may be DICOM."""
        require_bounded(file, name)
        header = read_header(file)
        if header is None and (archive := archive_kind(file)):
            self.leave_unopened(name, archive, "was not unpacked")
            return
        if header is None:
            self.remarks.append(f"{name}: {_none_of(self.kinds)} and was passed over")
            return
        modality = str(header.get("Modality", ""))
        kind = next((kind for kind in self.kinds if modality in kind.modalities), None)
        if is_key_object_selection(header):
            rejection = rejection_of(header)
            if rejection is None:
                self.others["key object selection that rejects nothing"] += 1
            else:
                self.rejections[name] = rejection
        elif is_own_result(header):
            self.others[OWN_RESULT] += 1
        elif kind is not None:
            self.found[kind.name].append(StudyFile(name, file, header))
        else:
            shown = shown_code(modality)  # damaged lengths put a patient's name into the modality
            self.others[
                shown if shown == modality else f"DICOM object {shown if modality else 'without modality'}"
            ] += 1

    def leave_unopened(self, name: str, kind: str, why: str) -> None:
        """Note what may hold more, and is not looked into."""
        self.unopened.append(f"{name} ({kind})")
        self.remarks.append(f"{name}: is {kind} and {why}")

    def study(self) -> Study:
        """What is left when all files are known."""
        used = _enumerate([modality for kind in self.kinds for modality in kind.modalities], "and")
        remarks = self.remarks + [
            f"{count} {what} passed over: only {used} are used" for what, count in sorted(self.others.items())
        ]
        for kind in self.kinds:
            self._pass_over_pictures(kind, remarks)
            self._pass_over_rejected(kind, remarks)
            if kind.one_study:
                _require_one(self.found[kind.name], kind)
        files = {name: tuple(files) for name, files in self.found.items()}
        return Study(files, dict(sorted(self.others.items())), tuple(self.unopened), tuple(remarks))

    def _pass_over_pictures(self, kind: Kind, remarks: list[str]) -> None:
        """Leave out what is not DICOM beside what is."""
        files = self.found[kind.name]
        objects = [file for file in files if file.header is not None]
        if objects:
            remarks += [
                f"{file.name}: a picture beside DICOM {kind.name} was passed over"
                for file in files
                if file.header is None
            ]
            self.found[kind.name] = objects

    def _pass_over_rejected(self, kind: Kind, remarks: list[str]) -> None:
        """Leave out what a rejection note names."""
        kept = []
        for file in self.found[kind.name]:
            by = next((name for name, note in self.rejections.items() if file.header and note.names(file.header)), None)
            if by is None:
                kept.append(file)
                continue
            reason = self.rejections[by].reason
            self.others[f"{kind.name} rejected ({reason})"] += 1
            remarks.append(f"{file.name}: rejected ({reason}) by {by} and not used")
        self.found[kind.name] = kept


def _kind_by_name(file: Path, kinds: Sequence[Kind], single: bool) -> Kind | None:
    """The kind of a file that its name tells; None of what may be DICOM."""
    for kind in kinds:
        suffixes = kind.suffixes + (kind.single_suffixes if single else ())
        if suffixes and file.name.lower().endswith(suffixes):
            return kind
    return None


def _none_of(kinds: Sequence[Kind]) -> str:
    formats = list(dict.fromkeys(name for kind in kinds for name in kind.formats))
    return f"is neither {_enumerate(['DICOM', *formats], 'nor')}" if formats else "is no DICOM file"


def _enumerate(words: Sequence[str], last: str) -> str:
    """``CR, DX and SR``."""
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    try:
        for file in sorted(path.rglob("*")):
            if file.is_file() and not file.name.startswith(".") and file.name != "DICOMDIR":
                yield file
    except OSError as error:
        raise UsageError("input", "must be readable", error.strerror or "an error", "Check its permissions.") from error


def _require_one(files: Sequence[StudyFile], kind: Kind) -> None:
    headers = [file.header for file in files if file.header is not None]
    studies = {text_value(header, "StudyInstanceUID") for header in headers}
    for what, count in (("patient", count_patients(headers)), ("study", len(studies))):
        if count > 1:
            found, remedy = f"{kind.name} of {count}", f"Give one {what} at a time."
            raise InputRefused("input", f"must be of one {what}", found, remedy)
