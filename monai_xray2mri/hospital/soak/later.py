"""What comes to a study after its films: late objects, own results that were changed, a deletion, a copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from monai_xray2mri.hospital.record import State
from monai_xray2mri.hospital.soak.site import Site
from monai_xray2mri.hospital.soak.studies import SoakStudy, coerced, late_film_of, report_of


def has_later(study: SoakStudy) -> bool:
    """Whether something comes later to studies of this kind."""
    return study.kind in _LATER


def let_happen(site: Site, study: SoakStudy) -> bool:
    """Let happen what comes later to a study, if its time has come; returns whether it has happened."""
    return _LATER[study.kind](site, study)


def _sent_after(state: State, content: Callable[[SoakStudy], bytes]) -> Callable[[Site, SoakStudy], bool]:
    """A further object, once the study is in a state."""

    def act(site: Site, study: SoakStudy) -> bool:
        record = site.record(study)
        if record is None or record.state is not state:
            return False
        site.send(content(study))
        return True

    return act


def _sent_back_coerced(site: Site, study: SoakStudy) -> bool:
    record = site.record(study)
    if record is None or record.state is not State.DONE:
        return False
    for instance in site.orthanc.instances(study.orthanc):
        header = site.orthanc.ask(f"/instances/{instance['ID']}/simplified-tags") or {}
        if header.get("Modality") == "MR":
            site.send(coerced(site.orthanc.client.get(f"/instances/{instance['ID']}/file").content))
            return True
    return False


def _deleted(site: Site, study: SoakStudy) -> bool:
    if site.record(study) is None:  # nobody has begun
        return False
    return bool(site.orthanc.client.delete(f"/studies/{study.orthanc}").status_code == 200)


def _copied(site: Site, study: SoakStudy) -> bool:
    return bool(site.orthanc.client.post(f"/studies/{study.orthanc}/anonymize", json={}).status_code == 200)


_LATER: Final[dict[str, Callable[[Site, SoakStudy], bool]]] = {
    "same again after the answer": _sent_after(State.DONE, lambda study: study.films[0]),
    "late film": _sent_after(State.DONE, late_film_of),
    "report after the answer": _sent_after(State.DONE, report_of),
    "report after a refusal": _sent_after(State.REFUSED, report_of),
    "result coerced and sent back": _sent_back_coerced,
    "deleted while it is made": _deleted,
    "copied by Orthanc": _copied,
}
