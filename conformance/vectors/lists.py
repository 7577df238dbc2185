"""Status lists: what a reader takes, and what a place in one says."""

from __future__ import annotations

from typing import Any

from conformance.vectors.model import Input, Kind, Reason, Value
from conformance.vectors.suite import NO_CODE, Suite, flipped, moment
from conformance.vectors.world import GRANTS_URI, NOW_NS, PLACE, REVOKED_PLACE, SAM_ID, STATUS_URI, SUSPENDED_PLACE, World
from virtual_devices import cwt
from virtual_devices.clock import NS
from virtual_devices.cose import TYP, X5CHAIN, decode
from virtual_devices.pki import Identity, Role
from virtual_devices.status_list import MEDIA_TYPE, Status, StatusList

ENTRIES = 8192
LIFE_S, TTL_S = 86_400, 3600
WITHDRAWN_INDEX = 78
CARDS, GRANTS = "trust/status-cards.cbor", "trust/status-authorizations.cbor"


def cards() -> StatusList:
    listed = StatusList(STATUS_URI, ENTRIES)
    listed[REVOKED_PLACE.index], listed[SUSPENDED_PLACE.index] = Status.INVALID, Status.SUSPENDED
    return listed


def add(suite: Suite, world: World) -> None:
    """The two lists that the other vectors are checked by; then places in them, and lists that are refused."""
    signed = cards().sign(world.centre, NOW_NS, NOW_NS + LIFE_S * NS, TTL_S)
    suite.file(CARDS, signed, "卡片狀態清單（其他向量以此查驗）",
        "the cards' status list, by which the other vectors are checked")
    grants = StatusList(GRANTS_URI, ENTRIES)
    grants[WITHDRAWN_INDEX] = Status.INVALID
    suite.file(GRANTS, grants.sign(world.centre, NOW_NS, NOW_NS + LIFE_S * NS, TTL_S), "授權狀態清單",
        "the authorizations' status list")
    model = suite.good(Kind.STATUS_LIST, "valid", {Input.STATUS_LIST: CARDS, Value.INDEX: str(PLACE.index)}, "有效",
        "a valid place")
    for name, index, reason, zh, en in (
        ("revoked", REVOKED_PLACE.index, Reason.REVOKED, "已廢止（1）", "revoked (1)"),
        ("suspended", SUSPENDED_PLACE.index, Reason.SUSPENDED, "停用中（2）", "suspended (2)"),
        ("outside", ENTRIES, Reason.OUTSIDE, "清單沒有這個位置", "a place that the list does not have"),
    ):
        suite.bad(model, name, {Value.INDEX: str(index)}, reason, NO_CODE, zh, en)
    suite.bad(model, "expired", {Value.AT: moment(NOW_NS + LIFE_S * NS)}, Reason.EXPIRED, NO_CODE,
              "清單過期：此後一律視為未知", "past its end: from now on it says nothing")
    _refused(suite, world, model, signed)


def _refused(suite: Suite, world: World, model: str, signed: bytes) -> None:
    ends_ns = NOW_NS + LIFE_S * NS
    packed = cards().compressed()
    body = {"bits": 2, "lst": packed}

    def made(**more: Any) -> bytes:
        signer: Identity = more.get("signer", world.centre)
        values = {cwt.SUB: STATUS_URI, cwt.IAT: cwt.seconds(NOW_NS), cwt.EXP: cwt.seconds(ends_ns), cwt.TTL: TTL_S,
                  cwt.STATUS_LIST: body, **more.get("claims", {})}
        kept = {k: v for k, v in values.items() if v is not None}
        header = {TYP: more.get("type", MEDIA_TYPE)}
        return cwt.make(signer.key, kept, protected=header, unprotected={X5CHAIN: list(signer.chain)}).to_bytes()

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
