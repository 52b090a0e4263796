"""What a study in Orthanc holds: films, reports and rejection notes on one hand, own results on the other."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydicom import DataElement, Dataset
from pydicom.datadict import dictionary_VR

from monai_xray2mri.dicom.kinds import REPORTS
from monai_xray2mri.dicom.own_results import is_own_result
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.rejection import is_key_object_selection, rejection_of
from monai_xray2mri.dicom.structured_report import text_value
from monai_xray2mri.hospital.archive import Archive, moment
from monai_xray2mri.hospital.settings import StudySettings

_REMEMBERED: Final = 200_000
"""Objects whose kind is remembered, about 300 bytes each."""
_TEXT_VRS: Final = frozenset(
    ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT")
)
_COPIED: Final = ("AnonymizedFrom", "ModifiedFrom")


@dataclass(frozen=True)
class Source:
    """An object that a result may depend on.

    Attributes:
        instance: its identifier in Orthanc.
        uid: SOP Instance UID.
        digest: MD5 of its file; empty where Orthanc keeps none.
        kind: ``"image"``, ``"report"`` or ``"note"`` (of rejection).
        received: when Orthanc received it, in seconds since 1970 by Orthanc's clock.
        called_aet: title that its sender called; empty if it came over HTTP.
        body_part: Body Part Examined in capitals; empty where it does not say.
        header: of an image, a report: enough of it to refer to it.
    """

    instance: str
    uid: str
    digest: str
    kind: str
    received: float
    called_aet: str = ""
    body_part: str = ""
    header: Dataset | None = None


@dataclass(frozen=True)
class Holding:
    """A study as Orthanc describes it, before any object is looked at.

    Attributes:
        study: its identifier in Orthanc.
        metadata: of the study.
        series: its series.
    """

    study: str
    metadata: Mapping[str, str]
    series: Sequence[Mapping[str, Any]]

    @property
    def is_copy(self) -> bool:
        """Whether Orthanc made it of another study."""
        return any(name in self.metadata for name in _COPIED)

    def inventory(self) -> str:
        """A digest that changes when an object comes, goes or is replaced; 16 hexadecimal digits."""
        lines = sorted(f"{name} {one.get('LastUpdate', '')}" for one in self.series for name in one["Instances"])
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    def instances(self) -> set[str]:
        """Identifiers of everything in it."""
        return {name for one in self.series for name in one["Instances"]}


@dataclass(frozen=True)
class Contents:
    """What counts in a study.

    Attributes:
        sources: images, reports and rejection notes that are wanted, in the order of their UIDs.
        passed_over: images that the settings do not want, and what is neither.
        own: instances that a synthesis of this software made, by anyone's hand.
    """

    sources: tuple[Source, ...]
    passed_over: int = 0
    own: tuple[str, ...] = ()

    @property
    def images(self) -> tuple[Source, ...]:
        """The images."""
        return tuple(source for source in self.sources if source.kind == "image")

    @property
    def newest(self) -> float:
        """When the last of the sources was received."""
        return max((source.received for source in self.sources), default=0.0)

    def fingerprint(self) -> str:
        """What a result depends on, in 32 hexadecimal digits: the sources and their bytes, in no order."""
        lines = sorted(f"{source.uid} {source.digest}" for source in self.sources)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


class Reader:
    """Reads what studies hold, and remembers what it has read.

    Args:
        archive: that holds them.
        settings: which images are wanted.
        modalities: of the images that the system takes.
    """

    def __init__(self, archive: Archive, settings: StudySettings, modalities: Sequence[str]) -> None:
        self._archive, self._settings, self._modalities = archive, settings, frozenset(modalities)
        self._known: OrderedDict[tuple[str, str], Source | str] = OrderedDict()

    def holding(self, study: str) -> Holding:
        """A study as Orthanc describes it.

        Raises:
            Gone: it does not exist.
        """
        return Holding(study, self._archive.study_metadata(study), self._archive.series_of(study))

    def contents(self, holding: Holding) -> Contents:
        """What counts in a study.

        Raises:
            Gone: an object was deleted meanwhile.
        """
        sources, own, others = list[Source](), list[str](), 0
        for series in holding.series:
            modality = str(series["MainDicomTags"].get("Modality", "")).upper()
            if modality not in self._modalities and modality not in (*REPORTS.modalities, "KO"):
                continue
            for instance in series["Instances"]:
                found = self._look_at(instance, series)
                if isinstance(found, Source) and self._is_wanted(found):
                    sources.append(found)
                elif found == "own":
                    own.append(instance)
                else:
                    others += 1
        return Contents(tuple(sorted(sources, key=lambda source: source.uid)), others, tuple(own))

    def orphans(self, holding: Holding, username: str) -> tuple[list[str], float]:
        """Results that a user stored over HTTP in a study that holds nothing else, and when the last of them came.

        Args:
            holding: the study.
            username: of Orthanc.

        Returns:
            Identifiers, none where anything else is in the study; and seconds since 1970 by Orthanc's clock.
        """
        owned, newest = list[str](), 0.0
        for series in holding.series:
            for instance in series["Instances"]:
                if self._look_at(instance, series) != "own":
                    return [], 0.0
                metadata = self._archive.instance_metadata(instance)
                newest = max(newest, moment(metadata.get("ReceptionDate", "")))
                if metadata.get("Origin") == "RestApi" and metadata.get("HttpUsername", "") == username:
                    owned.append(instance)
        return owned, newest

    def _is_wanted(self, source: Source) -> bool:
        if source.kind != "image":
            return True
        wanted, parts = self._settings, {part.upper() for part in self._settings.body_parts}
        return (
            source.received >= wanted.since.timestamp()
            and (not wanted.called_aets or source.called_aet in wanted.called_aets)
            and (not parts or source.body_part in ("", *parts))
        )

    def _look_at(self, instance: str, series: Mapping[str, Any]) -> Source | str:
        key = (instance, str(series.get("LastUpdate", "")))
        if key not in self._known:
            self._known[key] = self._read(instance, str(series["ID"]))
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return self._known[key]

    @quiet()
    def _read(self, instance: str, series: str) -> Source | str:
        """An object as a source, or the word ``own`` or ``other``."""
        header = dataset_of(self._archive.tags(instance))
        if is_own_result(header):
            return "own"
        if is_key_object_selection(header):
            kind = "note" if rejection_of(header) is not None else "other"
        elif text_value(header, "Modality").upper() in self._modalities:
            kind = "image"
        else:
            kind = "report" if text_value(header, "Modality") in REPORTS.modalities else "other"
        if kind == "other":
            return kind
        metadata = self._archive.instance_metadata(instance)
        if not self._settings.copies and self._is_copy(metadata, series):
            return "other"
        return Source(
            instance,
            text_value(header, "SOPInstanceUID"),
            self._archive.digest(instance),
            kind,
            moment(metadata.get("ReceptionDate", "")),
            metadata.get("CalledAET", ""),
            text_value(header, "BodyPartExamined").upper(),
            header,
        )

    def _is_copy(self, metadata: Mapping[str, str], series: str) -> bool:
        """Whether an instance, or its series alone, is a copy that Orthanc made within the study."""
        if any(name in metadata for name in _COPIED):
            return True
        return any(name in self._archive.series_metadata(series) for name in _COPIED)


def dataset_of(tags: Mapping[str, Any]) -> Dataset:
    """A data set of texts and sequences, from what Orthanc's ``/tags`` answers; other values are left out.

    Args:
        tags: ``{"0008,0060": {"Name": "Modality", "Type": "String", "Value": "DX"}}``.
    """
    found = Dataset()
    for name, entry in tags.items():
        tag = int(name[:4] + name[5:9], 16)
        try:
            representation = dictionary_VR(tag)
        except KeyError:  # private, or newer than pydicom
            continue
        kind, value = entry.get("Type"), entry.get("Value")
        if kind == "Sequence" and representation == "SQ":
            found.add(DataElement(tag, "SQ", [dataset_of(item) for item in value]))
        elif kind == "String" and representation in _TEXT_VRS and value is not None:
            found.add(DataElement(tag, representation, value.split("\\") if "\\" in value else value))
    return found
