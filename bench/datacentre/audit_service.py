"""The audit log of a running service, asked over HTTPS as any caller may: its head of now, and that it continues older ones."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterable
from pathlib import Path

import httpx2

from virtual_devices.cloud.audit import read_head
from virtual_devices.errors import LinkError, PeerError

TIMEOUT_S = 30.0


def fetch(url: str, credentials: Path, who: str, older: Iterable[int]) -> list[str]:
    """Lines as an exported file has them: a head of now, and a proof of consistency from each of the ``older`` sizes. A log
    that has become shorter gives no proof: the heads themselves show it.

    Raises LinkError when the service cannot be reached, or refuses.
    """
    tls = _tls(credentials, who)
    try:
        with httpx2.Client(base_url=url, verify=tls, timeout=TIMEOUT_S) as client:
            head = client.get("/v1/audit/head").raise_for_status().content
            lines = [json.dumps({"head": head.hex()})]
            size = _size(head)
            for old in older:
                if 1 <= old <= size:
                    asked = client.get("/v1/audit/proofs/consistency", params={"old": old, "size": size}).raise_for_status()
                    lines.append(json.dumps({"consistency": old, "size": size, "proof": asked.json()["proof"]}))
            return lines
    except (httpx2.HTTPError, ValueError, KeyError) as error:
        raise LinkError(f"{url}: the audit log cannot be had: {error}") from None


def _tls(credentials: Path, who: str) -> ssl.SSLContext:
    try:
        tls = ssl.create_default_context(cafile=str(credentials / "ca.pem"))
        tls.load_cert_chain(credentials / f"{who}.pem", credentials / f"{who}.key")
    except OSError as error:
        raise LinkError(f"{credentials}: no certificates of {who!r} ({error}): 'vhc-bench present http' writes some") from None
    return tls


def _size(head: bytes) -> int:
    try:
        return read_head(head, None).size
    except PeerError as error:
        raise ValueError(str(error)) from None


__all__ = ["fetch"]
