"""PyPI ``cwt`` and ``base45`` as judges of a card's QR code and of status lists.

stdin: JSON, an array of cases {name, do, key, nowS, ...}; byte strings in hex; key: the issuer's public key, x || y.
stdout: JSON, {name: answer}.

    "code"  {text, key, kid}  -> {inner: claims, outer: claims, typ, error: "" or what was raised, at: the step that raised}
    "list"  {token, key}      -> {claims, typ, error}

Claims: {key: value}, bytes in hex. Two habits of the library are gone round, not mended: it wants a kid in every CWT, which a
status list has no need of; and it takes protected header 13 for CWT claims, as drafts of RFC 9597 had it (now 15), where 13 is
``kcwt`` (RFC 9528). There the message is read as COSE, and its claims are judged by themselves.
"""

import datetime
import json
import sys
import zlib

import base45
import cbor2
import cwt.cwt
from cwt import COSE, CWT, COSEKey

P256 = {1: 2, -1: 1, 3: -7, 4: [2]}
KID, KCWT, TYP, CNF = 2, 13, 16, 8
LEEWAY_S = 1  # the least that the library takes
now_s = 0


class _Clock(datetime.datetime):
    """The library asks the machine's clock; each case brings its own moment."""

    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(now_s, tz)


cwt.cwt.datetime = _Clock


def plain(value):
    match value:
        case bytes():
            return value.hex()
        case dict():
            return {str(k): plain(v) for k, v in value.items()}
        case list():
            return [plain(v) for v in value]
    return value


def message(raw, key):
    """Claims and type of a signed message whose headers the library's own CWT reader would not take."""
    header, _, payload = COSE.new().decode_with_headers(raw, key)
    claims = cbor2.loads(payload)
    CWT.new(leeway=LEEWAY_S)._verify(claims)
    return plain(claims), header[TYP]


def code(asked, x, y, answer):
    answer["at"] = "text"
    raw = zlib.decompress(base45.b45decode(asked["text"].removeprefix("VHC1:")))
    answer["at"] = "inner"
    inner = cbor2.loads(cbor2.loads(raw).value[0])[KCWT]
    issuer = COSEKey.new({**P256, KID: bytes.fromhex(asked["kid"]), -2: x, -3: y})
    claims = CWT.new(leeway=LEEWAY_S).decode(cbor2.dumps(inner), issuer)
    answer |= {"inner": plain(claims), "at": "outer"}
    holder = claims[CNF][1]
    answer["outer"], answer["typ"] = message(raw, COSEKey.new({**P256, -2: holder[-2], -3: holder[-3]}))
    answer["at"] = ""


def status_list(asked, x, y, answer):
    answer["claims"], answer["typ"] = message(bytes.fromhex(asked["token"]), COSEKey.new({**P256, -2: x, -3: y}))


def main():
    global now_s
    answers = {}
    for asked in json.load(sys.stdin):
        now_s = asked["nowS"]
        answer = answers[asked["name"]] = {"error": ""}
        key = bytes.fromhex(asked["key"])
        try:
            {"code": code, "list": status_list}[asked["do"]](asked, key[:32], key[32:], answer)
        except Exception as e:
            answer["error"] = f"{type(e).__name__}: {e}"
    json.dump(answers, sys.stdout)


main()
