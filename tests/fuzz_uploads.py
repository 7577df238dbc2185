"""Upload files and requests that nobody should send: read, checked, kept, compared."""

from __future__ import annotations

import json
from random import Random

from virtual_devices.cloud.books import MemoryBooks
from virtual_devices.cloud.visit_uploads import Sent, UploadLedger
from virtual_devices.uploads.checking import check
from virtual_devices.uploads.document import Encoding
from virtual_devices.uploads.envelope import Operation, Refused, make_request, read_request
from virtual_devices.uploads.fields import FORMATS, Version
from virtual_devices.uploads.making import make
from virtual_devices.uploads.results import FileResult
from virtual_devices.uploads.xml_reader import read
from virtual_devices.uploads.xml_writer import write

from .fuzz_spoil import spoil
from .upload_visits import CLINIC, CLINIC_SAM, DISPENSED, NOW_NS, REFILL_RELEASED, REGISTER, VACCINATED, VISIT, context

PIECES = (
    b"<REC>", b"</REC>", b"<RECS>", b"</RECS>", b"<MB2>", b"</MB1>", b"<!DOCTYPE x>", b"<!--", b"-->", b"<![CDATA[", b"]]>",
    b"&amp;", b"&lt;", b"&#x41;", b"&#0;", b"&x;", b"<A11>", b"<M15/>", b"<Z99>", b"\xa4\xa4", b"\xff", b"\x00", b"\r\n", b" ",
    b"<?x?>",
)
VALUES = (
    "", "0", "-1", "9" * 30, "1150230000000", "0000000", "A000", "ICND", "ZB", "00", "W001", "CV19", "AF", "AI", "5", "C", "D",
    "E", "x", "MISS0000000000000000", "1A223456789", "16", "王", "1.5", "99999.99", "R001", "U071", " ", "a\nb",
)
IDS = [id for fields in FORMATS.values() for id in fields.by_id]


def files() -> list[bytes]:
    """One of each kind, in both formats and encodings."""
    visits = (VISIT, REFILL_RELEASED, DISPENSED, VACCINATED)
    made = [write([make(visit, version) for visit in visits]) for version in Version]
    return [*made, write([make(VISIT, Version.V20)], Encoding.UTF8)]


def spoil_file(rng: Random, raw: bytes) -> bytes:
    """Pieces of XML in other places, other values in fields, and bytes."""
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(len(raw)) if raw else 0
        match rng.randrange(3):
            case 0:
                raw = raw[:at] + rng.choice(PIECES) + raw[at + rng.choice((0, 0, 5)):]
            case 1:
                id = rng.choice(IDS).encode()
                begun, ended = raw.find(b"<" + id + b">", at), raw.find(b"</" + id + b">", at)
                if 0 <= begun < ended:
                    raw = raw[: begun + 5] + rng.choice(VALUES).encode("big5hkscs") + raw[ended:]
            case _:
                raw = spoil(rng, raw)
    return raw


def upload(raw: bytes) -> None:
    """Read, checked, kept; what was read is written and read again; the same file again adds nothing."""
    reading = read(raw)
    broken = {one.record for one in reading.findings}
    for record in reading.records:
        if record.number not in broken and not reading.returned:
            check(record, context())
            assert read(write([record], Encoding.UTF8)).records == (record,)
    ledger = UploadLedger(MemoryBooks(), REGISTER)
    first = ledger.receive(Sent(raw, CLINIC, CLINIC_SAM, "1", NOW_NS))
    result = FileResult.from_json(first.result)
    again = FileResult.from_json(ledger.receive(Sent(raw, CLINIC, CLINIC_SAM, "2", NOW_NS)).result)
    assert len(again.valid) >= len(result.valid)


def requests() -> list[bytes]:
    """As JSON."""
    return [json.dumps(make_request(one, CLINIC_SAM, CLINIC, "r", "s", NOW_NS, files()[0][:500])).encode() for one in Operation]


def request(raw: bytes) -> None:
    """Fields as somebody sent them: a request, or a refusal with a code."""
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError):
        return
    if isinstance(fields, dict):
        found = read_request(fields)
        assert not isinstance(found, Refused) or found.code
