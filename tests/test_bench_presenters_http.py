"""The served data centre against clients that are slow, silent, many or wrongly certified, over real sockets."""

from __future__ import annotations

import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from bench.datacentre.credentials import CLINIC, pem
from bench.datacentre.web.connection import Patience
from bench.presenters.http import Server
from virtual_devices.pki import Authority, Identity, Role

from .data_centre import Served, served

SHORT = Patience(
    handshake_s=3, header_s=1.2, body_s=1.2, answer_s=0.3, keep_alive_s=1.2, closing_s=20, strangers=6, per_caller=5,
    connections=12,
)
"""What tests wait out is short, and yet longer than a busy machine holds up a client that is in no fault."""
WAIT_S = 60
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPLOAD = b"POST /v1/uploads?sam=SAM000000001 HTTP/1.1\r\nHost: here\r\nContent-Type: text/xml\r\nContent-Length: 1000\r\n\r\n"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("credentials"), patience=SHORT) as service:
        yield service


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[str], None]:
    """Waits until the log has this."""
    caplog.set_level(logging.DEBUG, "vhc_bench.datacentre")

    def wait(text: str) -> None:
        until = time.monotonic() + WAIT_S
        while text not in caplog.text and time.monotonic() < until:
            time.sleep(0.01)
        assert text in caplog.text

    return wait


def tls(there: Served, who: str | Identity = "clinic", tmp_path: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(there.directory / "ca.pem"))
    if isinstance(who, Identity):
        assert tmp_path is not None
        (tmp_path / "own.pem").write_bytes(pem(who.chain))
        (tmp_path / "own.key").write_bytes(_private(who))
        context.load_cert_chain(tmp_path / "own.pem", tmp_path / "own.key")
    elif who:
        context.load_cert_chain(there.directory / f"{who}.pem", there.directory / f"{who}.key")
    return context


def _private(who: Identity) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return who.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def tcp(there: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", there.server.port), WAIT_S)


@contextmanager
def connected(there: Served, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    with tcp(there) as plain, context.wrap_socket(plain, server_hostname="localhost") as secured:
        yield secured


def heard(connection: ssl.SSLSocket) -> bytes:
    """Everything until the service closes."""
    found = b""
    while part := connection.recv(65536):
        found += part
    return found


def healthy(there: Served, who: str = "clinic") -> bool:
    with connected(there, tls(there, who)) as connection:
        connection.sendall(HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        return heard(connection).startswith(b"HTTP/1.1 200")


def problem(answer: bytes) -> Any:
    head, body = answer.split(b"\r\n\r\n", 1)
    assert b"application/problem+json" in head
    return json.loads(body)


def test_client_that_says_nothing_hears_that_its_time_is_over(there: Served, said: Callable[[str], None]) -> None:
    with connected(there, tls(there)) as connection:
        assert problem(heard(connection))["status"] == 408
    said(f"institution {CLINIC} did not send its header in time")


@pytest.mark.parametrize(("start", "what"), [(HEALTH[:20], "header"), (UPLOAD, "body")])
def test_bytes_that_trickle_in_lengthen_nothing(
    there: Served, said: Callable[[str], None], start: bytes, what: str,
) -> None:
    with connected(there, tls(there)) as connection:
        connection.sendall(start)
        connection.settimeout(0.02)
        began, found = time.monotonic(), b""
        while time.monotonic() < began + WAIT_S:
            try:
                part = connection.recv(65536)
            except TimeoutError:
                connection.sendall(b"x")
                continue
            except OSError:
                break
            found += part
            if not part:
                break
        assert time.monotonic() - began < WAIT_S
    assert found == b"" or problem(found)["code"] == "9003"
    said(f"institution {CLINIC} did not send its {what} in time")


def test_quiet_connection_is_closed_after_its_answer(there: Served) -> None:
    with connected(there, tls(there)) as connection:
        for _ in range(2):
            connection.sendall(HEALTH)
            answer = b""
            while not answer.endswith(b"}") and (part := connection.recv(65536)):
                answer += part
            assert answer.startswith(b"HTTP/1.1 200")
        assert heard(connection) == b""


def test_client_that_does_not_fetch_its_answer_is_let_go(there: Served, said: Callable[[str], None]) -> None:
    async def long(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % (64 << 20))]})
        for _part in range(64):
            await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})

    at = there.directory
    files = {"ca": at / "ca.pem", "certificate": at / "service.pem", "key": at / "service.key"}
    server = Server(long, "127.0.0.1", 0, **files, patience=SHORT)
    ready = threading.Event()
    thread = threading.Thread(target=server.run, args=(ready.set,))
    thread.start()
    assert ready.wait(WAIT_S)
    with (
        socket.create_connection(("127.0.0.1", server.port), WAIT_S) as plain,
        tls(there).wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(HEALTH)
        said(f"institution {CLINIC} does not fetch its answer")
    server.stop()
    thread.join(WAIT_S)
    assert not thread.is_alive()


def test_two_hundred_silent_connections_stop_nobody(there: Served, said: Callable[[str], None]) -> None:
    with ExitStack() as many:
        for number in range(200):
            silent = many.enter_context(tcp(there))
            if number % 50 == 0:
                assert healthy(there)
                silent.close()
        assert healthy(there)
        said(f"the oldest of {SHORT.strangers} without certificate")


def test_silent_connections_with_a_certificate_leave_room_for_other_callers(there: Served, said: Callable[[str], None]) -> None:
    with ExitStack() as many:
        for _ in range(SHORT.per_caller + 2):
            many.enter_context(connected(there, tls(there)))
        said(f"institution {CLINIC} has {SHORT.per_caller} already")
        assert healthy(there, "pharmacy") and healthy(there, "")


def test_older_tls_is_refused(there: Served, said: Callable[[str], None]) -> None:
    old = tls(there)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.deprecated_call():
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError), connected(there, old):
        pass
    said("no TLS: unsupported protocol")
    assert there.server.tls.options & ssl.OP_NO_RENEGOTIATION


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(("make", "why"), [
    (lambda ours: Authority("other", ours.epoch_ns).issue(Role.INSTITUTION, "x", organisation=CLINIC), "unable to get"),
    (lambda ours: ours.issue(Role.INSTITUTION, "old", organisation=CLINIC, days=(-30, -1)), "certificate has expired"),
    (lambda ours: ours.issue(Role.SAM, "SAM000000001", organisation=CLINIC), "unsuitable certificate purpose"),
])
def test_certificate_that_does_not_serve_opens_no_connection(
    there: Served, said: Callable[[str], None], tmp_path: Path, caplog: pytest.LogCaptureFixture, make: Any, why: str,
    version: ssl.TLSVersion,
) -> None:
    context = tls(there, make(there.authority), tmp_path)
    context.minimum_version = context.maximum_version = version
    with pytest.raises(OSError), connected(there, context) as connection: # 1.3: heard with the first answer
        connection.sendall(HEALTH)
        assert connection.recv(1) == b""
        raise ConnectionResetError
    said("the client certificate is not accepted: ")
    assert why in caplog.text and CLINIC not in caplog.text and "SAM0" not in caplog.text


def test_revoked_certificate_is_refused_and_told(tmp_path: Path, said: Callable[[str], None]) -> None:
    revoked: set[int] = set()
    with served(tmp_path, patience=SHORT, revoked=revoked) as service:
        revoked.add(x509.load_pem_x509_certificate((tmp_path / "clinic.pem").read_bytes()).serial_number)
        with connected(service, tls(service)) as connection:
            connection.sendall(b"GET /v1/visits/late HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = problem(heard(connection))
    assert (answer["status"], answer["code"]) == (401, "66503")
    said("client certificate refused: revoked")


def test_ending_service_answers_what_is_being_done_and_refuses_what_is_not_whole(tmp_path: Path) -> None:
    with served(tmp_path, patience=replace(SHORT, header_s=5, body_s=5)) as service:
        at_work, go_on = threading.Event(), threading.Event()
        late = service.centre.core.late

        def slow(now_ns: int) -> Any:
            at_work.set()
            assert go_on.wait(WAIT_S)
            return late(now_ns)

        service.centre.core.late = slow  # type: ignore[method-assign]
        with connected(service, tls(service)) as working, connected(service, tls(service)) as half:
            working.sendall(b"GET /v1/visits/late HTTP/1.1\r\nHost: localhost\r\n\r\n")
            half.sendall(UPLOAD)
            assert at_work.wait(WAIT_S)
            service.server.stop()
            refused = problem(heard(half))
            go_on.set()
            done = heard(working)
        with pytest.raises(OSError):
            tcp(service).close()
    assert refused["status"] == 503 and done.startswith(b"HTTP/1.1 200") and b'{"late":[]}' in done
