"""Who calls: the client certificate of the connection, chained to the bench's own root.

uvicorn does not hand the certificate to the application: :class:`TlsProtocol` puts it where the ASGI TLS extension has it
(``scope["extensions"]["tls"]["client_cert_chain"]``, PEM, leaf first).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import Request
from uvicorn.protocols.http.h11_impl import H11Protocol

from bench.datacentre.web.log import LOG
from bench.datacentre.web.problems import Problem
from virtual_devices.codes import Space
from virtual_devices.pki import CONNECTIONS, Authority, ChainVerifier, Refused, Role, Trouble, Verified

NO_CERTIFICATE, NOT_ALLOWED = "1423", "4029"
CUT = "vhc_bench.cut"
CODES = {Trouble.EXPIRED: "66501", Trouble.NOT_YET_VALID: "66501", Trouble.REVOKED: "66503"}
"""The field's code (space vhc) for a certificate that does not serve; 1423 (no trusted issuer) for every other trouble."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is connected. ``organisation``: an institution's code, "" of an officer. ``name``: the certificate's subject."""

    role: Role
    name: str
    organisation: str
    serial: int
    verified: Verified = field(repr=False)

    @property
    def institution(self) -> str:
        """The institution for which it acts: its own, and no other."""
        return self.organisation


class TlsProtocol(H11Protocol):
    """HTTP/1.1 that tells the application of the client's certificate."""

    certificate = b""
    """The client's, DER; empty for none."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        self.certificate = (tls.getpeercert(binary_form=True) if tls is not None else None) or b""
        if self.certificate:
            self.app = telling(self.app, [ssl.DER_cert_to_PEM_cert(self.certificate)], transport.abort)


def telling(app: Any, chain: list[str], cut: Callable[[], None] | None = None) -> Any:
    """The application, told of a certificate chain with every request. ``cut``: breaks the connection off; an application finds
    it as ``scope["extensions"][CUT]``."""

    async def told(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if "extensions" in scope or scope["type"] == "http":
            scope = scope | {"extensions": {**scope.get("extensions", {}), "tls": {"client_cert_chain": chain}, CUT: cut}}
        await app(scope, receive, send)

    return told


class Gate:
    """Lets callers in by what their certificate says."""

    def __init__(self, authority: Authority, revoked: Collection[int], now_ns: Callable[[], int]) -> None:
        self._root = ChainVerifier(authority.root_der)
        self._issuer = authority.issuer(Role.INSTITUTION)
        self._revoked = revoked
        self._now_ns = now_ns

    def caller(self, request: Request) -> Caller:
        """Raises Problem (401) for a connection without a certificate that serves."""
        chain = request.scope.get("extensions", {}).get("tls", {}).get("client_cert_chain")
        if not chain:
            raise Problem(401, NO_CERTIFICATE, Space.VHC, "connect with a client certificate of the bench's own authority")
        leaf = x509.load_pem_x509_certificate(chain[0].encode()).public_bytes(Encoding.DER)
        who = self._root.check([leaf, self._issuer], CONNECTIONS, self._now_ns(), self._revoked)
        if isinstance(who, Refused):
            code = CODES.get(who.trouble, NO_CERTIFICATE)
            LOG.info("client certificate refused: %s", who.trouble.value)
            raise Problem(401, code, Space.VHC, f"the client certificate is refused: {who.trouble.value}")
        return Caller(who.role, who.subject_id, who.organisation, who.serial, who)


__all__ = ["CUT", "Caller", "Gate", "TlsProtocol", "telling"]
