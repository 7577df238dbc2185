"""The 18 local calls of control software 6.0 as a pure mapping: method, path and JSON object in, JSON object out.

Paths and field names are exactly those of ``data/control_software.toml``: one vendor's client (public). ``statusCode`` is text, 0
for success. Codes are of the space ``vhc``, and of ``cshis`` where the table says that 6.0 gives them too (4013); which code
answers what is inferred where the table's words do not say it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from virtual_devices.cloud.envelope import Kind
from virtual_devices.flow import Flow
from virtual_devices.reader.cs60 import pins
from virtual_devices.reader.cs60.signing import sign
from virtual_devices.reader.cs60.state import LocalComponent
from virtual_devices.reader.cshis import perform
from virtual_devices.reader.cshis.prepare import answered, ready_sam
from virtual_devices.reader.transmit import Ended
from virtual_devices.records import RECORDS
from virtual_devices.tables import read_table

NOT_INITIALISED, ALREADY, NO_DEVICE, WRONG_SAM, UNKNOWN_PATH, MALFORMED = "1000", "1001", "1002", "1011", "1701", "1704"
NO_TOKEN, VIRTUAL_ONLY, NO_CARD = "3241", "1527", "4013"
_CODES = {
    "4000": "1202", "4012": "1300", "4014": "1102", "4032": "1103", "4033": "1103", "4034": "1103", "4042": "1402",
    "4043": "1500", "4050": "1301", "4051": "1301", "4061": "1700", "4071": "1502", "5002": "3203", "5003": "3201",
    "5008": "3500", "5056": "1400", "5102": "1410", "6005": "1301", "6006": "1301", "6007": "1301",
    "9013": "1301", "9014": "1301", "9015": "1301", "9060": "1303", "9061": "1302", "9062": "1302", "9130": "1424",
    "9140": "1422",
}
"""Codes of the desk in the words of 6.0 (inferred)."""
MAX_CHARACTERS = 8_192
Body = Mapping[str, str]
Reply = dict[str, Any]
Work = Callable[[LocalComponent, Body], Flow[Reply]]


def endpoints() -> dict[tuple[str, str], Mapping[str, Any]]:
    """The local rows of the table, by method and path."""
    rows = read_table("control_software")["cs60_endpoint"]
    return {(row["method"], row["path"]): row for row in rows if row["where"] == "local"}


def answer(component: LocalComponent, method: str, path: str, body: object) -> Flow[Reply]:
    """One call. Never raises for what is in the request."""
    work = _CALLS.get((method, path))
    if work is None:
        return {"statusCode": UNKNOWN_PATH}
    if not _texts(body):
        return {"statusCode": MALFORMED}
    assert isinstance(body, Mapping)
    if not component.initialised and path not in (_STATUS, _INITIAL):
        return {"statusCode": NOT_INITIALISED}
    try:
        reply = yield from work(component, body)
    except Ended as e:
        return {"statusCode": _CODES.get(e.code, e.code)}
    return reply if "status" in reply else {"statusCode": "0", **reply}


def _texts(body: object) -> bool:
    """An object whose values are short texts."""
    if not isinstance(body, Mapping):
        return False
    return all(isinstance(value, str) and len(value) <= MAX_CHARACTERS for value in body.values())


def _need(body: Body, name: str) -> str:
    value = body.get(name, "")
    if not value:
        raise Ended(f"{name} is missing", MALFORMED, "reader")
    return value


_STATUS, _INITIAL = "/api/common/v1/Status", "/api/common/v1/Initial"


def _status(component: LocalComponent, body: Body) -> Flow[Reply]:
    states = {}
    for name, kind in (("sam", 1), ("hc", 2), ("hpc", 3)):
        state = "0"
        if component.initialised:
            reply = yield from perform(component.software, "hisGetCardStatus", {"CardType": kind})
            state = reply.code if len(reply.code) == 1 else "0"
        states[name] = {"status": "5" if name == "hc" and component.token else state}
    return {"status": {"initialized": component.initialised, **states}}


def _initial(component: LocalComponent, body: Body) -> Flow[Reply]:
    """``name``: a SAM's id, a port such as COM1, or nothing."""
    if component.initialised:
        raise Ended("initialised already", ALREADY, "reader")
    name = body.get("name", "")
    ports = component.software.reader.ports
    port = min(ports) if not name.startswith("COM") else int(name[3:] or "0") - 1 if name[3:].isdigit() else -1
    if component.software.port is None:
        opened = yield from perform(component.software, "csOpenCom", {"Comport": port})
        if opened.code != "0":
            raise Ended("no such device", NO_DEVICE, "reader")
    if name and not name.startswith("COM"):
        question = {"CardType": 1, "pBuffer": bytes(12), "iBufferLen": 12}
        number = yield from perform(component.software, "csGetCardNo", question)
        found = number.out.get("pBuffer", b"")
        if not isinstance(found, bytes) or found.decode("ascii", "replace").strip() != name:
            yield from _close(component)
            raise Ended("another SAM, or none, is in the reader", WRONG_SAM, "sam")
    component.initialised = True
    return {}


def _close(component: LocalComponent) -> Flow[None]:
    yield from perform(component.software, "csCloseCom", {})
    component.log_out()
    component.initialised = False


def _finalize(component: LocalComponent, body: Body) -> Flow[Reply]:
    yield from _close(component)
    return {}


def _verify_sam(component: LocalComponent, body: Body) -> Flow[Reply]:
    reply = yield from perform(component.software, "csVerifySAMDC", {})
    if reply.code != "0":
        raise Ended("the SAM is not verified", reply.code, "sam")
    return {}


def _signs(kind: Kind, component: LocalComponent, body: Body) -> Flow[Reply]:
    """The envelope of that kind."""
    service_type = _need(body, "serviceType")
    if not (len(service_type) == 2 and service_type.isascii() and service_type.isdigit()):
        raise Ended("a service type has two digits", MALFORMED, "reader")
    return dict((yield from sign(component, kind, service_type)))


def _log_out_patient(component: LocalComponent, body: Body) -> Flow[Reply]:
    component.log_out()
    return {}
    yield


def _log_out_professional(component: LocalComponent, body: Body) -> Flow[Reply]:
    component.software.hpc = None
    component.software.desk.hpc_ready = False
    return {}
    yield


def _read_basic(component: LocalComponent, body: Body) -> Flow[Reply]:
    """The scan: whose code it is. Not while a physical card is in use."""
    token = _need(body, "token")
    component.token = component.card_no = component.id_no = ""  # whatever comes, no former patient's data
    component.read = ("", b"")
    inside = component.software.card
    if inside is not None and inside.sam:
        raise Ended("a physical card is in use", VIRTUAL_ONLY, "card")
    sam = yield from ready_sam(component.software)
    code, answer_body = yield from answered(component.software, sam, "qr-scan", {"token": token}, "scan code")
    basic = answer_body.get("basic")
    if code != "0" or not isinstance(basic, bytes) or len(basic) != RECORDS["basic"].length:
        raise Ended("the data centre does not know the code", code if code != "0" else "1005", "cloud")
    component.read = (token, basic)
    texts = RECORDS["basic"].texts(basic)
    return {
        "cardId": texts["card_no"], "name": texts["name"], "idNo": texts["id_no"], "birthday": texts["birth_date"],
        "sex": texts["sex"], "identityStatus": texts["cancel_mark"],
    }


def _verify_virtual(component: LocalComponent, body: Body) -> Flow[Reply]:
    """Opens the virtual card's session: from here on signatures of the patient's card are this one's."""
    token = _need(body, "token")
    known, basic = component.read
    if token != known:
        raise Ended("this token was not read before", NO_TOKEN, "card")
    sam = yield from ready_sam(component.software)
    code, _ = yield from answered(component.software, sam, "qr-verify", {"token": token}, "verify code")
    if code != "0":
        raise Ended("the session cannot be opened", code, "cloud")
    texts = RECORDS["basic"].texts(basic)
    component.token, component.card_no, component.id_no = token, texts["card_no"], texts["id_no"]
    return {}


_CALLS: Mapping[tuple[str, str], Work] = {
    ("GET", _STATUS): _status,
    ("POST", _INITIAL): _initial,
    ("POST", "/api/common/v1/Finalize"): _finalize,
    ("POST", "/api/sam/v1/Verification"): _verify_sam,
    ("POST", "/api/sam/v1/Signature"): partial(_signs, Kind.SAM),
    ("POST", "/api/hc/v1/Pin"): pins.verify_holder,
    ("PUT", "/api/hc/v1/Pin"): pins.set_holder,
    ("DELETE", "/api/hc/v1/Pin"): pins.disable_holder,
    ("DELETE", "/api/hc/v1/Logout"): _log_out_patient,
    ("POST", "/api/hc/v1/Signature/Hc"): partial(_signs, Kind.HC),
    ("POST", "/api/hc/v1/Signature/HpcHc"): partial(_signs, Kind.HPC_HC),
    ("POST", "/api/hc/v1/VirtualHc/ReadBasic"): _read_basic,
    ("POST", "/api/hc/v1/Verification/VirtualHc"): _verify_virtual,
    ("POST", "/api/hpc/v1/Verification/Hpc"): pins.verify_professional,
    ("POST", "/api/hpc/v1/Signature"): partial(_signs, Kind.HPC),
    ("POST", "/api/hpc/v1/Pin"): pins.set_professional,
    ("PUT", "/api/hpc/v1/Pin"): pins.unlock_professional,
    ("DELETE", "/api/hpc/v1/Logout"): _log_out_professional,
}

__all__ = ["LocalComponent", "answer", "endpoints"]
