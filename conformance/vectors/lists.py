"""Status lists: what a reader takes, and what a place in one says."""

from __future__ import annotations

import zlib
from typing import Any

from conformance.vectors.model import Input, Kind, Reason, Value
from conformance.vectors.suite import NO_CODE, Suite, flipped, moment
from conformance.vectors.world import (
    GRANTS_URI,
    PLACE,
    RESERVED_PLACE,
    REVOKED_PLACE,
    SAM_ID,
    STATUS_URI,
    SUSPENDED_PLACE,
    World,
)
from virtual_devices import cwt
from virtual_devices.clock import NS
from virtual_devices.cose import TYP, X5CHAIN, decode, make_sign1
from virtual_devices.pki import Identity, Role
from virtual_devices.status_list import MAX_PACKED_BYTES, MEDIA_TYPE, Status, StatusList

ENTRIES = 8192
LIFE_S, TTL_S = 86_400, 3600
WITHDRAWN_INDEX = 78
CARDS, GRANTS = "trust/status-cards.cbor", "trust/status-authorizations.cbor"


def cards() -> StatusList:
    listed = StatusList(STATUS_URI, ENTRIES)
    listed[REVOKED_PLACE.index], listed[SUSPENDED_PLACE.index] = Status.INVALID, Status.SUSPENDED
    listed[RESERVED_PLACE.index] = 3
    return listed


def _wider(bits: int, value: int) -> dict[str, Any]:
    """A list with more bits a place, in which one place has that value."""
    listed = StatusList(STATUS_URI, ENTRIES, bits)
    listed[PLACE.index] = value
    return {"bits": bits, "lst": listed.compressed()}


def add(suite: Suite, world: World) -> None:
    """The two lists that the other vectors are checked by; then places in them, and lists that are refused."""
    signed = cards().sign(world.centre, world.now_ns, world.now_ns + LIFE_S * NS, TTL_S)
    suite.file(CARDS, signed, "卡片狀態清單（其他向量以此查驗）",
        "the cards' status list, by which the other vectors are checked")
    grants = StatusList(GRANTS_URI, ENTRIES)
    grants[WITHDRAWN_INDEX] = Status.INVALID
    suite.file(GRANTS, grants.sign(world.centre, world.now_ns, world.now_ns + LIFE_S * NS, TTL_S), "授權狀態清單",
        "the authorizations' status list")
    model = suite.good(Kind.STATUS_LIST, "valid", {Input.STATUS_LIST: CARDS, Value.INDEX: str(PLACE.index)}, "有效",
        "a valid place")
    for name, index, reason, zh, en in (
        ("revoked", REVOKED_PLACE.index, Reason.REVOKED, "已廢止（1）", "revoked (1)"),
        ("suspended", SUSPENDED_PLACE.index, Reason.SUSPENDED, "停用中（2）", "suspended (2)"),
        ("reserved", RESERVED_PLACE.index, Reason.REVOKED, "保留值（3）：視同已廢止",
         "a value that is not given out (3): as revoked"),
        ("outside", ENTRIES, Reason.OUTSIDE, "清單沒有這個位置", "a place that the list does not have"),
    ):
        suite.bad(model, name, {Value.INDEX: str(index)}, reason, NO_CODE, zh, en)
    suite.bad(model, "expired", {Value.AT: moment(world.now_ns + LIFE_S * NS)}, Reason.EXPIRED, NO_CODE,
              "清單過期：此後一律視為未知", "past its end: from now on it says nothing")
    _refused(suite, world, model, signed)


def _refused(suite: Suite, world: World, model: str, signed: bytes) -> None:
    ends_ns = world.now_ns + LIFE_S * NS
    packed = cards().compressed()
    body = {"bits": 2, "lst": packed}

    def made(**more: Any) -> bytes:
        signer: Identity = more.get("signer", world.centre)
        values = {cwt.SUB: STATUS_URI, cwt.IAT: cwt.seconds(world.now_ns), cwt.EXP: cwt.seconds(ends_ns), cwt.TTL: TTL_S,
                  cwt.STATUS_LIST: body, **more.get("claims", {})}
        kept = {k: v for k, v in values.items() if v is not None}
        header = {TYP: more.get("type", MEDIA_TYPE)}
        return cwt.make(signer.key, kept, protected=header, unprotected={X5CHAIN: list(signer.chain)}).to_bytes()

    payload = decode(signed).payload or b""
    indefinite = make_sign1(world.centre.key, b"\xbf" + payload[1:] + b"\xff", {X5CHAIN: list(world.centre.chain)},
                            protected={TYP: MEDIA_TYPE}).to_bytes()
    for name, raw, zh, en in (
        ("other-encoding", indefinite, "內容為不定長度的 CBOR：照讀", "claims in a map of indefinite length: they are read"),
        ("eight-bits", made(claims={cwt.STATUS_LIST: _wider(8, 0)}), "每項 8 位元", "eight bits an entry"),
        ("from-in-30-s", made(claims={cwt.IAT: cwt.seconds(world.now_ns) + 30}), "簽發時間在 30 秒後（時差容許）",
         "made in 30 s, which is within the skew"),
    ):
        suite.good(Kind.STATUS_LIST, name, {Input.STATUS_LIST: raw, Value.INDEX: str(PLACE.index)}, zh, en)
    message = decode(signed)
    spoilt = message.to_bytes()[: -len(message.signature)] + flipped(message.signature)
    for name, raw, reason, zh, en in (
        ("signature-bit", spoilt, Reason.FORGED, "簽章最後一位元翻轉", "the last bit of the signature is turned over"),
        ("stranger", made(signer=world.stranger.issue(Role.DATA_CENTRE, "data centre")), Reason.FORGED, "資料中心屬於別的根",
         "a data centre of another root"),
        ("signed-by-sam", made(signer=world.authority.issue(Role.SAM, SAM_ID)), Reason.FORGED, "由安全模組簽發",
         "signed by a SAM"),
        ("from-tomorrow", made(claims={cwt.IAT: cwt.seconds(ends_ns), cwt.EXP: cwt.seconds(ends_ns) + LIFE_S}), Reason.TOO_EARLY,
         "簽發時間在明天", "made tomorrow"),
        ("from-in-31-s", made(claims={cwt.IAT: cwt.seconds(world.now_ns) + 31}), Reason.TOO_EARLY, "簽發時間在 31 秒後",
         "made in 31 s"),
        ("ended", made(claims={cwt.EXP: cwt.seconds(world.now_ns)}), Reason.EXPIRED, "收到時已到期",
         "at its end when it is taken"),
        ("four-bits-5", made(claims={cwt.STATUS_LIST: _wider(4, 5)}), Reason.REVOKED, "4 位元的保留值 5：視同已廢止",
         "four bits an entry, and a value that nobody knows (5): as revoked"),
        ("byte-after-zlib", made(claims={cwt.STATUS_LIST: {**body, "lst": packed + b"\0"}}), Reason.MALFORMED,
         "壓縮內容之後多一個位元組", "a byte follows the packed list"),
        ("too-long", made(claims={cwt.STATUS_LIST: {**body, "lst": zlib.compress(bytes(MAX_PACKED_BYTES + 1))}}),
         Reason.MALFORMED, "解壓縮後超過上限", "unpacked it has a byte more than there may be"),
        ("no-end", made(claims={cwt.EXP: None}), Reason.MALFORMED, "沒有期限（exp）", "without an end (exp)"),
        ("no-address", made(claims={cwt.SUB: None}), Reason.MALFORMED, "沒有清單位址（sub）", "without its own address (sub)"),
        ("three-bits", made(claims={cwt.STATUS_LIST: {**body, "bits": 3}}), Reason.MALFORMED, "每項 3 位元",
         "three bits an entry"),
        ("not-packed", made(claims={cwt.STATUS_LIST: {**body, "lst": b"\0" * 8}}), Reason.MALFORMED, "不是 zlib 壓縮",
         "a list that is not packed by zlib"),
        ("cut-short", made(claims={cwt.STATUS_LIST: {**body, "lst": packed[:-1]}}), Reason.MALFORMED, "壓縮內容被截短",
         "packed bytes that are cut short"),
        ("other-type", made(type="application/cwt"), Reason.MALFORMED, "型別（標頭 16）不是狀態清單",
         "a type (header 16) of something else"),
    ):
        suite.bad(model, name, {Input.STATUS_LIST: raw}, reason, NO_CODE, zh, en)
