"""A small local component of control software 6.0 that shares nothing with the bench: the standard library and pyscard, from what
the reference pages say. It starts, tells of its cards and stops; it knows no data centre.

    python -m tests.foreign_component PORT CERTIFICATE KEY SAM_READER CARD_READER HPC_READER
"""

from __future__ import annotations

import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from smartcard import scard

STATUS, INITIAL, FINALIZE = "/api/common/v1/Status", "/api/common/v1/Initial", "/api/common/v1/Finalize"
VERIFICATION = "/api/sam/v1/Verification"
CALLS = {("GET", STATUS), ("POST", INITIAL), ("POST", FINALIZE), ("POST", VERIFICATION)}
SAM_ID = [0x00, 0xCA, 0x00, 0x5A, 0x00]


class Component:
    def __init__(self, readers: dict[str, str]) -> None:
        self._readers = readers
        self._on = False

    def answer(self, method: str, path: str, raw: bytes) -> dict[str, Any]:
        if (method, path) not in CALLS:
            return {"statusCode": "1701"}
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            body = None
        if not isinstance(body, dict) or not all(isinstance(text, str) and len(text) <= 8192 for text in body.values()):
            return {"statusCode": "1704"}
        if path == STATUS:
            cards = {name: {"status": "1" if self._on and self._ask(name, []) is not None else "0"} for name in self._readers}
            return {"status": {"initialized": self._on, **cards}}
        if path == INITIAL:
            return {"statusCode": self._begin(body.get("name", ""))}
        if not self._on:
            return {"statusCode": "1000"}
        self._on = path != FINALIZE
        return {"statusCode": "1301" if self._on else "0"}  # it verifies no SAM: it knows no data centre

    def _begin(self, name: str) -> str:
        if self._on:
            return "1001"
        if name.startswith("COM") and name != "COM1":
            return "1002"
        if name not in ("", "COM1") and self._ask("sam", SAM_ID) != name.encode().ljust(12):
            return "1011"
        self._on = True
        return "0"

    def _ask(self, role: str, command: list[int]) -> bytes | None:
        """What a card answers, without the status word; None when there is none, or it refuses."""
        _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        code, card, protocol = scard.SCardConnect(context, self._readers[role], scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_T1)
        answer: bytes | None = None
        if code == scard.SCARD_S_SUCCESS:
            reply = [0x90, 0x00]
            if command:
                code, reply = scard.SCardTransmit(card, protocol, command)
            if code == scard.SCARD_S_SUCCESS and reply[-2:] == [0x90, 0x00]:
                answer = bytes(reply[:-2])
            scard.SCardDisconnect(card, scard.SCARD_UNPOWER_CARD)
        scard.SCardReleaseContext(context)
        return answer


def main() -> None:
    port, certificate, key, sam, card, hpc = sys.argv[1:]
    component = Component({"sam": sam, "hc": card, "hpc": hpc})

    class Handler(BaseHTTPRequestHandler):
        def _answered(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            body = json.dumps(component.answer(self.command, self.path, raw)).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", f"{len(body)}")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = _answered

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
