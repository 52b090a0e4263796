"""What a hospital may do to the worker in any order, as rules for hypothesis; nothing may be lost or doubled.

``test_state_machine.py`` runs them over an Orthanc in memory, ``machine_session.py`` over a real one.
"""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from pydicom import dcmread

from monai_xray2mri.hospital.archive import Unreachable
from monai_xray2mri.hospital.record import FINAL, State
from monai_xray2mri.hospital.settings import AnswerSettings, Destination
from monai_xray2mri.hospital.worker import Worker
from tests.helpers.hospital_system import film, rejection, report
from tests.helpers.tap import DOWN, Killed
from tests.helpers.ward import Ward

EXAMPLES = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
"""The same ones each time, whatever plays them: the stand-in or a real Orthanc."""

ANSWERS = AnswerSettings(refusals="report", replaced="delete")
STUDIES = st.sampled_from(["a", "b"])
SENDERS = {
    "film": film,
    "second film": lambda study: film(study, "second"),
    "film without spacing": lambda study: film(study, "third", ImagerPixelSpacing=None),
    "chest": lambda study: film(study, "chest", BodyPartExamined="CHEST"),
    "failing film": lambda study: film(study, "failing", ImageComments="fail"),
    "report": report,
    "rejection": rejection,
}


class Hospital(RuleBasedStateMachine):
    """Rules are what people, machines and chance do; the end is a quiet weekend, after which all must be well."""

    def new_ward(self) -> Ward:
        """An empty hospital."""
        return Ward(answers=ANSWERS, destinations=(Destination("PACS", commitment=True),))

    @initialize()
    def open_the_ward(self) -> None:
        self.ward = self.new_ward()
        self.workers: list[Worker] = [self.ward.worker()]
        self.sent: set[str] = set()

    @rule(what=st.sampled_from(sorted(SENDERS)), study=STUDIES)
    def something_arrives(self, what: str, study: str) -> None:
        self.sent.add(self.ward.orthanc.receive(SENDERS[what](study)))

    @rule(seconds=st.sampled_from([1, 20, 61, 700]))
    def time_passes(self, seconds: int) -> None:
        self.ward.wait(seconds)

    @rule(hours=st.integers(1, 50))
    def the_clock_is_set_back(self, hours: int) -> None:
        self.ward.orthanc.time -= hours * 3600

    @rule()
    def the_workers_work(self) -> None:
        for worker in self.workers:
            worker.drain()

    @rule(request=st.integers(0, 80), moment=st.sampled_from(["before", "after"]))
    def a_worker_is_killed(self, request: int, moment: str) -> None:
        self.ward.orthanc.kill_at = (len(self.ward.orthanc.requests) + request, moment)
        try:
            self.workers[0].drain()
        except Killed:
            self.workers[0] = self.ward.worker()
        finally:
            self.ward.orthanc.kill_at = None

    @rule(request=st.integers(0, 80), lasting=st.integers(1, 20))
    def orthanc_is_down_for_a_while(self, request: int, lasting: int) -> None:
        begin = len(self.ward.orthanc.requests) + request
        down = range(begin, begin + lasting)
        self.ward.orthanc.fault = lambda method, path: DOWN if len(self.ward.orthanc.requests) in down else 0
        with suppress(Unreachable):  # what it left is for the next round, which the machine plays
            self.workers[0].drain()
        self.ward.orthanc.fault = lambda method, path: 0

    @rule(request=st.integers(0, 80), study=STUDIES)
    def a_study_is_deleted_at_any_moment(self, request: int, study: str) -> None:
        orthanc, moment = self.ward.orthanc, len(self.ward.orthanc.requests) + request
        identifier = orthanc.receive(film(study))

        def delete(method: str, path: str) -> None:
            if len(orthanc.requests) >= moment:
                orthanc.before = lambda method, path: None
                orthanc.delete_study(identifier)

        orthanc.before = delete
        self.workers[0].drain()
        orthanc.before = lambda method, path: None

    @rule()
    def another_worker_starts(self) -> None:
        self.workers = [self.workers[-1], self.ward.worker()]

    @rule(answer=st.sampled_from(["", "DIMSE status 0xA700", "Connection refused"]))
    def the_destination_changes_its_mind(self, answer: str) -> None:
        self.ward.destination_answers(answer)

    @rule(answer=st.sampled_from(["Success", "Pending", "Failure"]))
    def commitment_is(self, answer: str) -> None:
        self.ward.destination_commits(answer)

    @rule(full=st.booleans())
    def the_disk_is_full_while_they_work(self, full: bool) -> None:
        self.ward.orthanc.fault = lambda method, path: 507 if full and (method, path) == ("POST", "/instances") else 0
        self.workers[0].drain()
        self.ward.orthanc.fault = lambda method, path: 0

    @precondition(lambda self: any(held.header.Modality == "MR" for held in self.ward.orthanc.instances.values()))
    @rule()
    def a_result_comes_back_coerced(self) -> None:
        held = next(held for held in self.ward.orthanc.instances.values() if held.header.Modality == "MR")
        changed = dcmread(BytesIO(held.content))
        changed.SOPInstanceUID = changed.file_meta.MediaStorageSOPInstanceUID = f"{changed.SOPInstanceUID[:50]}.1"
        changed.Modality, changed.SeriesInstanceUID = "CR", f"{changed.SeriesInstanceUID[:50]}.1"
        buffer = BytesIO()
        changed.save_as(buffer, enforce_file_format=True)
        self.ward.orthanc.receive(buffer.getvalue())

    @rule(study=STUDIES)
    def somebody_asks_for_a_retry(self, study: str) -> None:
        self.workers[0].retry(self.ward.orthanc.receive(film(study)))

    def teardown(self) -> None:
        if not hasattr(self, "ward"):
            return
        self.ward.destination_answers("")
        self.ward.destination_commits("Success")
        worker = self.ward.worker()
        for _ in range(12):
            self.ward.wait(3700)
            worker.drain()
        for study in {held.study for held in self.ward.orthanc.instances.values()}:
            self.check(study)

    def check(self, study: str) -> None:
        held = self.ward.orthanc.of_study(study)
        films = [one for one in held if one.header.Modality == "CR" and one.metadata["Origin"] != "RestApi"]
        ours = {str(one.header.SOPInstanceUID) for one in held if one.metadata["Origin"] == "RestApi"}
        if not any("ContributingEquipmentSequence" not in one.header for one in films):
            assert not ours  # reports alone, or coerced results: nothing is brought back
            return
        state, manifest = self.ward.state(study), self.ward.manifest(study)
        assert state in FINAL, self.ward.record(study)
        assert len({one.header.PatientID for one in held}) == 1
        if state in (State.DONE, State.REFUSED) and manifest is not None:
            record = self.ward.record(study)
            if manifest.fingerprint == record.fingerprint:
                assert ours == {one.uid for one in manifest.instances}
                assert ours <= set(self.ward.taken)
