"""Control software 6.0, the cloud's side: its 18 calls as a pure mapping, request in, answer out, both JSON objects.

Paths and field names are exactly those of ``data/control_software.toml``: one vendor's client (public). Each call carries a
signature envelope of a stated kind and service type. Codes are of the space ``vhc``; which code answers what is inferred, where
the table's own words do not say it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from virtual_devices.card.holder import Holder, id_number
from virtual_devices.card.image import Personalisation
from virtual_devices.clock import NS
from virtual_devices.cloud.card_service import SAME_TIME, CardService, fresh_dates, is_moment
from virtual_devices.cloud.challenges import Newest
from virtual_devices.cloud.core import Person
from virtual_devices.cloud.envelope import EnvelopeCheck, Kind, Signed
from virtual_devices.cloud.vhc_codes import vhc_code
from virtual_devices.pki import Role
from virtual_devices.qr.token import Answer
from virtual_devices.records import RECORDS, PackError
from virtual_devices.tables import read_table

Body = Mapping[str, Any]
Reply = dict[str, Any]
UNKNOWN_PATH, BAD_ENVELOPE, BAD_FIELD, BAD_TIME, SIGNATURE_BAD = "1701", "1704", "1705", "1706", "3100"
PHYSICIANS_ONLY, NO_PROFESSION, WRITTEN, FETCHED, PACKING, NO_NEWBORN = "3212", "3243", "3209", "3244", "3210", "3206"
NO_TOKEN, TOKEN_LATE, NOT_YET, DECLINED = "3237", "3238", "3239", "3240"
CONSENT_S = 300
"""How long a holder may take to answer a request from afar (inferred: as long as a code lives)."""
DIAGNOSES = ("mainCode", "subCode1", "subCode2", "subCode3", "subCode4", "subCode5")
FEES = ("outpatientFee", "costFee", "inpatientFee", "inpatient30Fee", "inpatient180Fee")
MAX_ENTRIES = 60


class Refused(Exception):
    """A call ends here with this code. Never leaves the service."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class Consent:
    """A request from afar, as the holder's app shows it. ``agreed``: None until the holder has answered."""

    card_no: str
    institution: str
    asked_ns: int
    agreed: bool | None = None


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and whose card it is about."""

    signed: Signed
    card_no: str
    now_ns: int

    @property
    def institution(self) -> str:
        return self.signed.institution

    @property
    def virtual(self) -> bool:
        return bool(self.signed.token)

    @property
    def pharmacist(self) -> bool:
        return self.signed.profession is Role.PHARMACIST


class Cloud60:
    """The calls. ``consents``: requests from afar by their access token; :meth:`answer_consent` is the holder's app."""

    def __init__(self, cards: CardService, envelopes: EnvelopeCheck) -> None:
        self._cards = cards
        self._envelopes = envelopes
        self.consents: Newest[str, Consent] = Newest()
        self._fetched: Newest[tuple[str, str], int] = Newest()
        self._made = 0
        self._calls: dict[str, Callable[[Asker, Body], Reply]] = {
            "/api/v1/BasicData/Query": self._basic,
            "/api/v1/BasicData/Register": self._register,
            "/api/v1/BasicData/Register2": self._register2,
            "/api/v1/EmergentTel/Query": self._telephone,
            "/api/v1/HcContent/Update": self._update,
            "/api/v1/CriticalIllness/Query": self._illness,
            "/api/v1/Treatment/NoNeedHPC": self._visits,
            "/api/v1/Treatment/NeedHPC": self._diagnoses,
            "/api/v1/Treatment/WriteCodeFee": self._write,
            "/api/v1/Prescription/Query": self._prescriptions,
            "/api/v1/Prescription/Write": self._prescribe,
            "/api/v1/SequelNumber/Next": self._next,
            "/api/v1/SequelNumber/Rollback": self._roll_back,
            "/api/v1/TreatmentNumber/Card": self._identifier,
            "/api/v1/TreatmentNumber/NoCard": self._without_card,
            "/api/v1/TeleMedicine/RequestToken": self._ask_consent,
            "/api/v1/TeleMedicine/ResponseToken": self._consent,
            "/test/v1/ApplyVirtualHc/Apply": self._apply,
        }
        self.signed_by: Callable[[str], None] = lambda _: None
        """Told whose card has signed a call, empty for no professional's."""
        rows = [row for row in read_table("control_software")["cs60_endpoint"] if row["where"] == "cloud"]
        self._wants = {row["path"]: (Kind(row["signature"]), row["service_type"]) for row in rows}

    @property
    def paths(self) -> list[str]:
        return list(self._calls)

    def answer(self, path: str, body: object, now_ns: int) -> Reply:
        """One call. Never raises for what is in the request."""
        call = self._calls.get(path)
        if call is None:
            return {"statusCode": UNKNOWN_PATH}
        if not isinstance(body, Mapping):
            return {"statusCode": BAD_ENVELOPE}
        kind, service_type = self._wants[path]
        signed = self._envelopes.check(body, kind, now_ns)
        if isinstance(signed, str):
            return {"statusCode": signed}
        if signed.service_type != service_type:
            return {"statusCode": BAD_ENVELOPE}
        try:
            self.signed_by(signed.professional_id)
            asker = Asker(signed, self._card(signed, now_ns) if kind.patient else "", now_ns)
            reply = call(asker, body)
        except Refused as refused:
            return {"statusCode": refused.code}
        return {"statusCode": "0", **reply}

    def answer_consent(self, access_token: str, agreed: bool) -> bool:
        """The holder answers in the app. False when there is no such request."""
        consent = self.consents.get(access_token)
        if consent is None:
            return False
        consent.agreed = agreed
        return True

    def _card(self, signed: Signed, now_ns: int) -> str:
        if not signed.token:
            card_no = signed.card_no
        else:
            found = self._cards.tokens.look(signed.token, signed.institution, now_ns)
            if found.answer is not Answer.OK:
                raise Refused(found.answer.code.number)
            card_no = found.card_no
        if not self._cards.files.knows(card_no):
            raise Refused(vhc_code("9012"))
        return card_no

    def _once(self, asker: Asker, what: str) -> None:
        """Visit data are fetched with one code once."""
        if not asker.virtual:
            return
        if self._fetched.get((asker.signed.token, what)) is not None:
            raise Refused(FETCHED)
        self._fetched.put((asker.signed.token, what), asker.now_ns)

    # -- who the holder is

    def _basic(self, asker: Asker, body: Body) -> Reply:
        basic = self._cards.basic(asker.card_no)
        return {
            "cardSn": basic["card_no"], "name": basic["name"], "idCardNum": basic["id_no"], "birthday": basic["birth_date"],
            "sex": basic["sex"], "dateIssue": basic["issue_date"], "cancelTermination": basic["cancel_mark"],
        }

    def _register(self, asker: Asker, body: Body) -> Reply:
        register = self._cards.files.texts(asker.card_no, "register")[0]
        return self._basic(asker, body) | {
            "insurerCode": register["insurer_code"], "insurerId": register["insured_identity_mark"],
            "cardValidity": register["card_expiry_date"], "treatmentCounter": register["available_visit_count"],
            "newbornBirthday": register["newborn_birth_date"], "newbornBaby": register["newborn_birth_order_mark"],
        }

    def _register2(self, asker: Asker, body: Body) -> Reply:
        register = self._cards.files.texts(asker.card_no, "register2")[0]
        return {"cardValidity": register["card_expiry_date"], "treatmentCounter": register["available_visit_count"]}

    def _telephone(self, asker: Asker, body: Body) -> Reply:
        return {"tel": self._cards.basic(asker.card_no)["emergency_tel"]}

    def _update(self, asker: Asker, body: Body) -> Reply:
        _done(self._cards.update(asker.card_no, asker.now_ns), "3400")
        return {}

    # -- reading

    def _illness(self, asker: Asker, body: Body) -> Reply:
        if asker.signed.profession is not Role.PHYSICIAN:
            raise Refused(PHYSICIANS_ONLY)
        return {"criticalIllnesses": self._illnesses(asker)}

    def _illnesses(self, asker: Asker) -> list[Reply]:
        return [
            {"ciCode": row["illness_code"], "validityStart": row["valid_from"], "validityEnd": row["valid_to"]}
            for row in self._cards.files.texts(asker.card_no, "critical_illness")
        ]

    def _visits(self, asker: Asker, body: Body) -> Reply:
        self._once(asker, "visits")
        periods = self._cards.files.texts(asker.card_no, "critical_illness_period")
        visits = [
            {
                "treatmentItem": row["visit_type"], "treatDateTime": row["visit_datetime"], "afterCheck": row["recard_mark"],
                "hospitalVisit": row["visit_seq_no"], "hospitalId": row["hospital_id"], "outpatientFee": row["outpatient_fee"],
                "costFee": row["outpatient_copay"], "inpatientFee": row["inpatient_fee"],
                "inpatient30Fee": row["inpatient_copay_short"], "inpatient180Fee": row["inpatient_copay_long"],
            }
            for row in self._cards.files.texts(asker.card_no, "visit")
        ]
        dates = [{"validityStart": row["valid_from"], "validityEnd": row["valid_to"]} for row in periods]
        return {"criticalIllnesses": dates, "treatments": visits}

    def _medical(self, asker: Asker) -> None:
        if asker.signed.profession not in (Role.PHYSICIAN, Role.PHARMACIST):
            raise Refused(NO_PROFESSION)

    def _diagnoses(self, asker: Asker, body: Body) -> Reply:
        self._medical(asker)
        self._once(asker, "diagnoses")
        found = [
            {"treatDateTime": row["visit_datetime"], "mainCode": row["main_diagnosis"],
             **{f"subCode{n}": row[f"sub_diagnosis_{n}"] for n in (1, 2, 3)}}
            for row in self._cards.files.texts(asker.card_no, "diagnosis")
        ]
        return {"criticalIllnesses": [] if asker.pharmacist else self._illnesses(asker), "treatments": found}

    def _prescriptions(self, asker: Asker, body: Body) -> Reply:
        self._medical(asker)
        rows = self._cards.files.texts(asker.card_no, "outpatient_rx", pharmacist=asker.pharmacist)
        return {"outpatientPrescriptions": [
            {key: row[name] for key, name in _RX_FIELDS.items() if key != "deliveryNotes"} for row in rows
        ]}

    # -- visits

    def _next(self, asker: Asker, body: Body) -> Reply:
        kind, newborn, recard = (_text(body, name) for name in ("treatmentItem", "babyTreatment", "afterCheck"))
        if len(kind) != 2 or len(newborn) > 1 or len(recard) > 1:
            raise Refused(BAD_FIELD)
        if newborn and not self._cards.files.texts(asker.card_no, "register")[0]["newborn_birth_date"]:
            raise Refused(NO_NEWBORN)
        found = self._cards.register(
            asker.card_no, asker.institution, kind, newborn, recard, asker.now_ns, virtual=asker.virtual
        )
        if not found.identifier:
            raise Refused(SAME_TIME if found.code == SAME_TIME else vhc_code(found.code, "1007"))
        return {
            "treatmentDateTime": found.when, "sequenceNumber": found.sequence, "hospitalId": asker.institution,
            "signature": body["signature"], "samId": asker.signed.sam_id, "isSameDay": "Y" if found.same_day else "N",
            "treatmentNumber": found.identifier,
        }

    def _roll_back(self, asker: Asker, body: Body) -> Reply:
        _done(self._cards.take_back(asker.card_no, asker.institution, _moment(body, "treatmentDateTime"), asker.now_ns), "3401")
        return {}

    def _identifier(self, asker: Asker, body: Body) -> Reply:
        code, identifier = self._cards.identifier(asker.card_no, asker.institution, _moment(body, "treatmentDateTime"))
        _done(code, "3204")
        return {"treatmentNumber": identifier}

    def _without_card(self, asker: Asker, body: Body) -> Reply:
        found = self._cards.without_card(_text(body, "patientId"), asker.institution, asker.now_ns)
        _done(found.code, "3204")
        return {"treatmentDateTime": found.when, "hospitalId": asker.institution, "treatmentNumber": found.identifier}

    # -- writing

    def _write(self, asker: Asker, body: Body) -> Reply:
        when = _moment(body, "treatmentDateTime")
        codes, fees = [_text(body, name) for name in DIAGNOSES], [_text(body, name) for name in FEES]
        if any(len(code) > 7 or not code.isalnum() for code in codes if code):
            raise Refused(PACKING)
        if self._cards.written(asker.card_no, when):
            raise Refused(WRITTEN)
        blank = {f"{name}_{part}": b" " for name in _CODE_FIELDS for part in ("lead", "trail")}
        try:
            named = {"recard_mark": _text(body, "afterCheck") or "1", **dict(zip(_CODE_FIELDS, codes, strict=True))}
            diagnoses = RECORDS["write_code_icd10"].pack({**blank, **named})
            amounts = RECORDS["write_fee"].pack(dict(zip(_FEE_FIELDS, fees, strict=True)))
        except PackError:
            raise Refused(BAD_FIELD) from None
        _done(self._cards.write(asker.card_no, asker.institution, when, diagnoses, amounts), "1006")
        return {}

    def _prescribe(self, asker: Asker, body: Body) -> Reply:
        when, rows = _moment(body, "treatmentDateTime"), body.get("prescriptions")
        if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_ENTRIES or not all(isinstance(row, Mapping) for row in rows):
            raise Refused(BAD_FIELD)
        try:
            entries = [RECORDS["outpatient_rx"].pack({name: _text(row, key) for key, name in _RX_FIELDS.items()}) for row in rows]
        except PackError:
            raise Refused(BAD_FIELD) from None
        code, signatures = self._cards.prescribe(asker.card_no, asker.institution, when, entries)
        _done(code, "1006")
        return {
            "signatureItems": [base64.b64encode(one).decode("ascii") for one in signatures],
            "hexSignatureItems": [one.hex() for one in signatures],
        }

    # -- from afar, and for tests

    def _ask_consent(self, asker: Asker, body: Body) -> Reply:
        card_no = self._cards.by_id.get(_text(body, "patientId"), "")
        if not card_no:
            raise Refused(vhc_code("9012"))
        access_token = self._cards.fresh(16).hex()
        self.consents.put(access_token, Consent(card_no, asker.institution, asker.now_ns))
        return {"accessToken": access_token}

    def _consent(self, asker: Asker, body: Body) -> Reply:
        consent = self.consents.get(_text(body, "accessToken"))
        if consent is None or consent.institution != asker.institution:
            raise Refused(NO_TOKEN)
        if asker.now_ns - consent.asked_ns >= CONSENT_S * NS:
            raise Refused(TOKEN_LATE)
        if consent.agreed is None:
            raise Refused(NOT_YET)
        if not consent.agreed:
            raise Refused(DECLINED)
        return {"virtualCardToken": self._cards.tokens.issue(consent.card_no, asker.now_ns)}

    def _apply(self, asker: Asker, body: Body) -> Reply:
        """A test card of nobody: its number and a token to scan (the answer's fields are inferred)."""
        sex, born = _text(body, "sex"), _text(body, "birthday")
        if sex not in ("M", "F") or len(born) != 7 or not is_moment(born + "000000"):
            raise Refused(BAD_FIELD)
        self._made += 1
        card_no = f"9{int.from_bytes(self._cards.fresh(4), 'big') % 10**6:06d}{self._made:05d}"
        holder = Holder(
            "測試卡", id_number("A", sex, self._made), date(int(born[:3]) + 1911, int(born[3:5]), int(born[5:])), sex
        )
        issued, until = fresh_dates(asker.now_ns)
        self._cards.take_in(Personalisation(card_no, holder, issued, until))
        self._cards.core.enrol(Person(card_no, expiry_date=until))
        return {"cardId": card_no, "idNo": holder.id_no, "virtualCardToken": self._cards.tokens.issue(card_no, asker.now_ns)}


_CODE_FIELDS = ("main_diagnosis", *(f"sub_diagnosis_{n}" for n in range(1, 6)))
_FEE_FIELDS = ("outpatient_fee", "outpatient_copay", "inpatient_fee", "inpatient_copay_short", "inpatient_copay_long")
_RX_FIELDS = {
    "treatmentDateTime": "visit_datetime", "treatmentItem": "order_type", "treatmentItemCode": "item_code",
    "treatmentPosition": "body_site", "usage": "usage", "days": "days", "totalQuantity": "total_quantity",
    "deliveryNotes": "delivery_mark",
}


def _text(body: Body, name: str) -> str:
    """A text field; empty when it is left out. Raises Refused for anything else."""
    value = body.get(name, "")
    if not isinstance(value, str) or not value.isascii() or len(value) > 64:
        raise Refused(BAD_FIELD)
    return value


def _moment(body: Body, name: str) -> str:
    when = _text(body, name)
    if not is_moment(when):
        raise Refused(BAD_TIME)
    return when


def _done(code: str, otherwise: str) -> None:
    if code != "0":
        raise Refused(vhc_code(code, otherwise))


__all__ = ["Cloud60", "Consent"]
