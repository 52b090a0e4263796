"""The worker reads an Orthanc behind TLS when its certificate is one that the hospital trusts, and only then."""

from __future__ import annotations

import http.server
import shutil
import ssl
import subprocess
import threading

import pytest

from monai_xray2mri.hospital.archive import Archive, Unreachable
from monai_xray2mri.hospital.settings import OrthancSettings

pytest.importorskip("httpx")


class Front(http.server.BaseHTTPRequestHandler):
    """Answers as ``/system`` of Orthanc."""

    def do_GET(self):
        content = b'{"CheckRevisions": true}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_): ...


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for ``localhost`` and its key, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl")
    file, key = tmp_path_factory.mktemp("tls") / "certificate.pem", tmp_path_factory.mktemp("tls") / "key.pem"
    command = [
        openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", file, "-keyout", key,
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return file, key


@pytest.fixture
def address(certificate):
    """Of an Orthanc that shows the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://localhost:{server.server_port}"
        server.shutdown()


def test_a_certificate_of_the_hospital_is_trusted_where_the_settings_name_it(address, certificate):
    archive = Archive(OrthancSettings(url=address, ca_file=certificate[0]))
    assert archive.system() == {"CheckRevisions": True}
    archive.close()


def test_a_certificate_that_nobody_vouches_for_is_refused(address):
    archive = Archive(OrthancSettings(url=address))
    with pytest.raises(Unreachable, match=r"Check orthanc\.ca_file") as caught:
        archive.system()
    assert caught.value.code == "certificate"  # the log has the code alone
    archive.close()
