"""A real Orthanc as scenes use it: objects come in as from a modality, and are read back byte by byte."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pynetdicom import AE

from monai_xray2mri.hospital.soak.processes import OrthancProcess

DICOM_WEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
"""Debian's package orthanc-dicomweb."""


class RealOrthanc(OrthancProcess):
    """An Orthanc that can be killed and started again, with what scenes ask of it."""

    def receive(self, content: bytes) -> str:
        """C-STORE an object; returns Orthanc's identifier of its study."""
        dataset = dcmread(BytesIO(content))
        entity = AE("MODALITY")
        entity.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
        association = entity.associate("127.0.0.1", self.dicom, ae_title=self.title)
        assert association.is_established
        status = association.send_c_store(dataset)
        association.release()
        assert status.Status == 0x0000
        (found,) = self.client.post("/tools/lookup", content=str(dataset.SOPInstanceUID)).json()
        return str(self.ask(f"/instances/{found['ID']}/study")["ID"])

    def receive_by_web(self, content: bytes) -> str:
        """STOW-RS an object; returns Orthanc's identifier of its study."""
        kind = 'multipart/related; type="application/dicom"; boundary=part'
        body = b"--part\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--part--"
        answer = self.client.post("/dicom-web/studies", content=body, headers={"Content-Type": kind})
        assert answer.status_code == 200, answer.text
        uid = str(dcmread(BytesIO(content)).StudyInstanceUID)
        (found,) = (one for one in self.client.post("/tools/lookup", content=uid).json() if one["Type"] == "Study")
        return str(found["ID"])

    def files(self, study: str, modality: str = "MR") -> list[bytes]:
        """Files of a study."""
        return [
            self.client.get(f"/instances/{name}/file").content
            for series in self.client.get(f"/studies/{study}/series").json()
            if series["MainDicomTags"]["Modality"] == modality
            for name in series["Instances"]
        ]

    def datasets(self, study: str, modality: str = "MR") -> dict[str, bytes]:
        """Data sets of a study by SOP Instance UID, byte by byte but for what senders write anew or leave away.

        That is group 0002, and Data Set Trailing Padding, which Orthanc does not send by C-STORE.
        """
        found = {}
        for content in self.files(study, modality):
            header = dcmread(BytesIO(content))
            dataset = content[144 + header.file_meta.FileMetaInformationGroupLength :]
            if "DataSetTrailingPadding" in header:
                dataset = dataset[: -12 - len(header["DataSetTrailingPadding"].value)]
            found[str(header.SOPInstanceUID)] = dataset
        return found
