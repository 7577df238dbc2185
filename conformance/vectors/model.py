"""What ``manifest.json`` of the vectors may say, and nothing else: the closed schema is made from these classes.

A vector names its inputs (files, and short values), what a right implementation does with them, and why. One that is to be
refused says from which accepted one it differs, and in which inputs; all its other inputs are the same.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Hex = Annotated[str, Field(pattern=r"^([0-9a-f]{2})*$")]
Path = Annotated[str, Field(pattern=r"^[a-z0-9-]+(/[a-z0-9.-]+)*$")]
Name = Annotated[str, Field(pattern=r"^[a-z0-9-]+(/[a-z0-9-]+)*$")]
Moment = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


class Closed(BaseModel):
    """Nothing beside what is named."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Both(Closed):
    """A text in the two languages of the suite."""

    zh: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]


class Kind(Enum):
    """What is checked, and by whom."""

    CREDENTIAL = "credential"  # a reader: does the issuer vouch for it now
    ENGAGEMENT = "engagement"  # a reader: the text of a QR code
    HANDOVER = "handover"  # a reader: Handover Select, after Handover Request when negotiated
    SESSION = "session"  # a holder's device: session messages, one after the other
    REQUEST = "request"  # a holder's device: a request inside a session
    RESPONSE = "response"  # a reader: an answer inside a session
    BATCH = "batch"  # a holder's device: records to be written
    RECEIPT = "receipt"  # a reader: what became of them
    LATE_RECORDS = "late-records"  # a holder's device: records that the data centre hands over
    CARD_CODE = "card-code"  # a reader: a card's QR code
    PRESCRIPTION_CODE = "prescription-code"  # a pharmacy
    AUTHORIZATION = "authorization"  # a reader: a guardian's authorization with its proof
    STATUS_LIST = "status-list"  # a reader: a list, and one place in it


class Input(Enum):
    """Inputs that are files."""

    CREDENTIAL = "credential"  # IssuerSigned
    TEXT = "text"  # of one QR code
    TEXTS = "texts"  # of several, one a line
    HANDOVER_SELECT = "handover-select"
    HANDOVER_REQUEST = "handover-request"
    MESSAGE = "message"  # the first session message
    NEXT_MESSAGE = "next-message"  # the one after it
    REQUEST = "request"  # DeviceRequest
    RESPONSE = "response"  # DeviceResponse
    BATCH = "batch"
    BEFORE = "before"  # a batch that was stored before; the text of a card's code that this reader took before
    RECEIPT = "receipt"
    AUTHORIZATION = "authorization"
    PROOF = "proof"
    STATUS_LIST = "status-list"
    CHALLENGE = "challenge"  # the text that the reader showed
    LATE_RECORDS = "late-records"


class Value(Enum):
    """Inputs that are short."""

    AT = "at"  # the moment, RFC 3339
    SESSION = "session"  # a name among ``sessions``
    DEVICE = "device"  # SHA-256 of the device key, hex
    REVOKED = "revoked"  # serial number of a revoked certificate, hex
    GENERATION = "generation"  # of the device's store
    CAPACITY = "capacity"  # records that the device holds
    READER = "reader"  # the reader's own name
    WARD = "ward"  # card number on the card that is presented
    SCOPE = "scope"  # what is to be done with it
    PURPOSE = "purpose"
    INDEX = "index"  # a place in a status list


class Space(Enum):
    """Whose number an expected code is."""

    CSHIS = "cshis"  # the field's, of control software
    VHC = "vhc"  # the field's, of the virtual card
    ERROR = "mdoc-error"  # ISO/IEC 18013-5 ErrorCode; negative ones are the profile's
    SESSION = "session-status"
    RESPONSE = "response-status"
    RECEIPT = "receipt-outcome"
    NONE = "none"  # accepted, or refused without a number


class Reason(Enum):
    """Why. The closed list of the suite."""

    ACCEPTED = "accepted"
    # how a party or its signature fails
    MISSING = "missing"
    MALFORMED = "malformed"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    WRONG_ROLE = "wrong-role"
    FORGED = "forged"
    UNKNOWN_ISSUER = "unknown-issuer"
    ISSUER_EXPIRED = "issuer-expired"
    # sessions and requests
    CANNOT_DECRYPT = "cannot-decrypt"
    NO_RIGHT = "no-right"
    NOT_IN_FORCE = "not-in-force"
    # writing
    ALREADY = "already-stored"
    WRONG_HOLDER = "wrong-holder"
    CONFLICT = "conflict"
    BAD_SIGNATURE = "bad-signature"
    FULL = "full"
    OTHER_BATCH = "another-batch"
    # codes
    FOREIGN = "foreign"
    FORGED_CARD = "forged-card"
    FORGED_WRAPPER = "forged-wrapper"
    LIVES_TOO_LONG = "lives-too-long"
    FROM_THE_FUTURE = "from-the-future"
    CARD_EXPIRED = "card-expired"
    CARD_TOO_EARLY = "card-too-early"
    NOT_BOUND = "not-bound"
    USED_BEFORE = "used-before"
    OTHER_READER = "other-reader"
    NO_CERTIFICATE = "no-certificate"
    PHYSICIAN_FORGED = "physician-forged"
    PHYSICIAN_UNTRUSTED = "physician-untrusted"
    PHYSICIAN_INVALID = "physician-invalid"
    PHYSICIAN_REVOKED = "physician-revoked"
    NO_PHYSICIAN = "no-physician"
    INSTITUTION_FORGED = "institution-forged"
    INSTITUTION_UNTRUSTED = "institution-untrusted"
    INSTITUTION_REVOKED = "institution-revoked"
    OTHER_INSTITUTION = "other-institution"
    # authorizations
    WIDENED = "widened"
    WITHDRAWN = "withdrawn"
    WRONG_WARD = "wrong-ward"
    WRONG_GUARDIAN = "wrong-guardian"
    OUT_OF_SCOPE = "out-of-scope"
    NO_PROOF = "no-proof"
    # status lists
    TOO_EARLY = "too-early"
    OUTSIDE = "outside-the-list"


class Code(Closed):
    """A number that is expected, as text, with the space that it belongs to; empty where there is none."""

    space: Space
    number: str


class Expected(Closed):
    """What a right implementation does. ``shown``: of a request, the elements that leave, as ``namespace/element``."""

    accepted: bool
    reason: Reason
    code: Code
    shown: tuple[str, ...] = ()


class Vector(Closed):
    """``differs_from`` and ``differs_in``: of one that is not accepted (or accepted for another reason), its model."""

    id: Name
    kind: Kind
    says: Both
    files: dict[Input, Path]
    values: dict[Value, str]
    expected: Expected
    differs_from: Name | None = None
    differs_in: tuple[Input | Value, ...] = ()


class Jwk(Closed):
    """A P-256 private key (RFC 7517, RFC 7518 clause 6.2)."""

    kty: str = "EC"
    crv: str = "P-256"
    x: str
    y: str
    d: str


class Key(Closed):
    """A test key. It is published: nothing that matters may ever be bound to it."""

    name: Name
    says: Both
    jwk: Jwk
    cose_key: Hex
    pem: Path


class Session(Closed):
    """A session: what its transcript is made of, and the keys that follow.

    ``e_mac_key``: of the card's device key with the reader's. ``ble_ident``: what the Ident characteristic holds over BLE.
    """

    name: Name
    says: Both
    engagement: Path
    handover_select: Path | None = None
    handover_request: Path | None = None
    transcript: Path
    device_key: Name
    reader_key: Name
    shared_secret: Hex
    salt: Hex
    sk_reader: Hex
    sk_device: Hex
    e_mac_key: Hex
    ble_ident: Hex


class Listed(Closed):
    """A file of the suite, the manifest itself aside."""

    path: Path
    sha256: Hex
    bytes: int
    says: Both


class Manifest(Closed):
    """``at``: the moment at which everything is checked, unless a vector says another."""

    format: str
    seed: int
    at: Moment
    says: Both
    keys: tuple[Key, ...]
    sessions: tuple[Session, ...]
    vectors: tuple[Vector, ...]
    files: tuple[Listed, ...]
