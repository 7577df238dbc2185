"""Device requests and reader authentication, ISO/IEC 18013-5 clauses 8.3.2.1.2.1 and 9.1.4, with several readers' signatures.

    DeviceRequest = {"version", "docRequests": [+ DocRequest], ? "deviceRequestInfo": bytes, ? "readerAuthAll": [+ COSE_Sign1]}
    DocRequest    = {"itemsRequest": #6.24(bstr .cbor ItemsRequest), ? "readerAuth": COSE_Sign1}
    ItemsRequest  = {"docType", "nameSpaces": {+ namespace: {+ element: intent to retain}}, ? "requestInfo": {...}}

``readerAuth`` signs one document request. Each of ``readerAuthAll`` (version "1.1") signs all of them at once:
#6.24(["ReaderAuthenticationAll", SessionTranscript, [+ ItemsRequestBytes], DeviceRequestInfoBytes / null]). All are detached.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from virtual_devices import cbor
from virtual_devices.cose import MalformedCose, Sign1, read_sign1
from virtual_devices.mdoc.session import Transcript
from virtual_devices.mdoc.tagged import (
    MalformedMdoc,
    a_map,
    a_text,
    an_array,
    dumps,
    embedded,
    read_map,
    some_bytes,
    texts,
    unembed,
)
from virtual_devices.quick import quick

MAX_DOC_REQUESTS, MAX_READERS = 8, 4
V1_0, V1_1 = "1.0", "1.1"
_READER_AUTH, _ITEMS_REQUEST, _VERSION = map(cbor.name, ("readerAuth", "itemsRequest", "version"))
_DOC_REQUESTS, _READER_AUTH_ALL, _INFO = map(cbor.name, ("docRequests", "readerAuthAll", "deviceRequestInfo"))
_DOC_TYPE, _NAME_SPACES, _REQUEST_INFO = map(cbor.name, ("docType", "nameSpaces", "requestInfo"))


@quick
@dataclass(frozen=True, slots=True)
class ItemsRequest:
    """What is asked of one document. ``raw``: its bytes inside #6.24, as they came."""

    raw: bytes
    doctype: str
    wanted: Mapping[str, Mapping[str, bool]]
    """Namespace -> element -> whether the reader intends to keep it."""
    info: Mapping[str, Any]

    def elements(self) -> dict[str, frozenset[str]]:
        return {space: frozenset(names) for space, names in self.wanted.items()}


@quick
@dataclass(frozen=True, slots=True)
class DocRequest:
    items: ItemsRequest
    auth: Sign1 | None = None


@quick
@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """A request. ``info``: DeviceRequestInfo, encoded; None when there is none."""

    version: str
    documents: tuple[DocRequest, ...]
    auth_all: tuple[Sign1, ...] = ()
    info: bytes | None = field(default=None)

    def with_auth(self, number: int, auth: Sign1) -> DeviceRequest:
        """The same with a reader's signature on document request ``number``."""
        documents = list(self.documents)
        documents[number] = replace(documents[number], auth=auth)
        return replace(self, documents=tuple(documents))

    def with_auth_all(self, auth: Sign1) -> DeviceRequest:
        """The same with one more signature over all of it."""
        return replace(self, auth_all=(*self.auth_all, auth))

    def to_bytes(self) -> bytes:
        count = 2 + bool(self.auth_all) + (self.info is not None)
        parts = [cbor.head(cbor.MAP, count), _VERSION, cbor.name(self.version), _DOC_REQUESTS]
        parts.append(cbor.head(cbor.ARRAY, len(self.documents)))
        for document in self.documents:
            parts += [b"\xa1"] if document.auth is None else [b"\xa2", _READER_AUTH, document.auth.encoded()]
            parts += [_ITEMS_REQUEST, embedded(document.items.raw)]
        if self.auth_all:
            parts += [_READER_AUTH_ALL, cbor.array([auth.encoded() for auth in self.auth_all])]
        if self.info is not None:
            parts += [_INFO, embedded(self.info)]
        return b"".join(parts)

    def signed_by_all(self, transcript: Transcript) -> bytes:
        """ReaderAuthenticationAllBytes: what each of ``readerAuthAll`` signs."""
        items = cbor.array([embedded(d.items.raw) for d in self.documents])
        info = b"\xf6" if self.info is None else embedded(self.info)
        return embedded(b"\x84\x77ReaderAuthenticationAll" + transcript.encoded + items + info)


def signed_by_reader(items: ItemsRequest, transcript: Transcript) -> bytes:
    """ReaderAuthenticationBytes: what ``readerAuth`` signs (clause 9.1.4.4)."""
    return embedded(b"".join((b"\x83\x74ReaderAuthentication", transcript.encoded, embedded(items.raw))))


def items_request(doctype: str, wanted: Mapping[str, Mapping[str, bool]], info: Mapping[str, Any] | None = None) -> ItemsRequest:
    """A request of ours for one document."""
    spaces = _name_spaces(tuple([(space, tuple(names.items())) for space, names in wanted.items()]))
    parts = [_DOC_TYPE + cbor.name(doctype), _NAME_SPACES + spaces]
    if info:
        parts.append(_REQUEST_INFO + dumps(dict(info)))
    return ItemsRequest(cbor.map_of(parts), doctype, wanted, info or {})


@lru_cache(32)
def _name_spaces(wanted: tuple[tuple[str, tuple[tuple[str, bool], ...]], ...]) -> bytes:
    """What a reader asks for, encoded: the few things that it asks of everybody."""
    return cbor.map_of([
        cbor.name(space) + cbor.map_of([cbor.name(name) + (b"\xf5" if retain else b"\xf4") for name, retain in names])
        for space, names in wanted
    ])


def read_items_request(raw: bytes) -> ItemsRequest:
    """Raises MalformedMdoc."""
    body = read_map(raw, "ItemsRequest")
    wanted: dict[str, Mapping[str, bool]] = {}
    for space, names in a_map(body.get("nameSpaces"), "nameSpaces").items():
        found = a_map(names, "a namespace's elements")
        if set(map(type, found.values())) != {bool}:
            raise MalformedMdoc("elements without intent to retain", "8.3.2.1.2.1")
        wanted[a_text(space, "a namespace")] = texts(found, "an element")
    if not wanted:
        raise MalformedMdoc("a request for nothing", "8.3.2.1.2.1")
    info = a_map(body.get("requestInfo", {}), "requestInfo")
    return ItemsRequest(raw, a_text(body.get("docType"), "docType"), wanted, texts(info, "a key of requestInfo"))


def read(raw: bytes) -> DeviceRequest:
    """Raises MalformedMdoc. The same document type twice is refused: which answer would belong to which?"""
    body = read_map(raw, "DeviceRequest")
    version = a_text(body.get("version"), "the version")
    if version.split(".")[0] != "1":
        raise MalformedMdoc(f"DeviceRequest version {version}", "8.3.2.1.2.1")
    found = an_array(body.get("docRequests"), "docRequests")
    if not 1 <= len(found) <= MAX_DOC_REQUESTS:
        raise MalformedMdoc(f"{len(found)} document requests, 1 to {MAX_DOC_REQUESTS}", "8.3.2.1.2.1")
    documents = tuple([_doc_request(d) for d in found])
    if len(documents) > 1 and len({d.items.doctype for d in documents}) != len(documents):
        raise MalformedMdoc("a document type asked for twice", "8.3.2.1.2.1")
    signatures = an_array(body.get("readerAuthAll", []), "readerAuthAll")
    if len(signatures) > MAX_READERS:
        raise MalformedMdoc(f"{len(signatures)} readers, at most {MAX_READERS}", "9.1.4")
    info = body.get("deviceRequestInfo")
    return DeviceRequest(
        version, documents, tuple([_detached(s, "readerAuthAll") for s in signatures]),
        None if info is None else some_bytes(unembed(info, "deviceRequestInfo"), "deviceRequestInfo"),
    )


def _doc_request(value: object) -> DocRequest:
    body = a_map(value, "a DocRequest")
    items = read_items_request(unembed(body.get("itemsRequest"), "itemsRequest"))
    auth = body.get("readerAuth")
    return DocRequest(items, None if auth is None else _detached(auth, "readerAuth"))


def _detached(value: object, what: str) -> Sign1:
    try:
        auth = read_sign1(value)
    except MalformedCose as e:
        raise MalformedMdoc(f"{what}: {e.what}", "9.1.4") from None
    if auth.payload is not None:
        raise MalformedMdoc(f"the payload of {what} is not detached", "9.1.4.4")
    return auth
