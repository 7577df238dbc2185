"""Messages to a wallet of which one part is of another type, or is not there: what is not as its rule has it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import cbor2

from conformance.case import Each, Nature, case
from conformance.kinds.wallet import WalletTester
from conformance.spoil import Path, named, other, paths, put, without
from conformance.spoil import find as part
from conformance.vectors import engagements
from conformance.vectors.suite import Suite
from conformance.vectors.world import World, signed
from conformance.vectors.writing import Writer
from virtual_devices import vhc
from virtual_devices.cose import X5CHAIN
from virtual_devices.mdoc import session
from virtual_devices.mdoc.request import DeviceRequest, items_request
from virtual_devices.mdoc.response import ResponseStatus
from virtual_devices.mdoc.session import SessionStatus, Transcript
from virtual_devices.mdoc.tagged import dumps, embed
from virtual_devices.reader.proximity import ReaderSession

ITEMS = items_request(vhc.DOCTYPE, {vhc.BASIC: {"name": False}}, {"a key of somebody else's": 1})
_OPTIONAL = ("readerAuth", "readerAuthAll", "requestInfo", "deviceRequestInfo", "a key of somebody else's", X5CHAIN)
Spoilt = tuple[Path, bool]
"""Where, and whether the part is left out (else it is of another type)."""


def _request(world: World, transcript: Transcript) -> DeviceRequest:
    return signed(ITEMS, transcript, world.sam, (world.sam, world.physician))


@cache
def _tree() -> Any:
    world, suite = World(1), Suite()
    return cbor2.loads(_request(world, engagements.add(suite, world)["qr"].transcript).to_bytes())


def _spoilt(tree: Any, free: tuple[Any, ...], optional: tuple[Any, ...]) -> Mapping[str, Each]:
    """Every place of a structure; ``free``: keys below which anything may stand; ``optional``: that may be left out."""
    found: dict[str, Each] = {}
    for path in paths(tree):
        if any(step in free for step in path):
            continue
        where = named(path)
        found[f"{where} other"] = Each((path, False), f"{where} is of another type", f"{where if path else '整體'} 的型別不對")
        if path and isinstance(part(tree, path[:-1]), dict) and path[-1] not in optional and _needed(path):
            found[f"{where} missing"] = Each((path, True), f"{where} is not there", f"缺少 {where}")
    return found


def _needed(path: Path) -> bool:
    return "nameSpaces" not in path[:-1]


def _of_request() -> Mapping[str, Each]:
    found = _spoilt(_tree(), (X5CHAIN, "a key of somebody else's"), _OPTIONAL)
    # a wallet that does not know readerAuthAll need not look at it
    return {name: replace(each, clauses=("P-REQ-02", "P-CBR-01", "P-RDR-02")) if name.startswith("readerAuthAll") else each
            for name, each in found.items()}


def _spoil(tree: Any, how: Spoilt) -> Any:
    path, left_out = how
    return without(tree, path) if left_out else put(tree, path, other(part(tree, path)))


@case("P-REQ-02", "P-CBR-01", nature=Nature.INVALID, zh="要求的一部分不合規則：狀態 11，會話繼續", each=_of_request)
def test_request_with_a_wrong_part_is_malformed(wallet: WalletTester, how: Spoilt) -> None:
    """A request of which one part is not as its rule has it is answered with status 11, and the session goes on."""
    opened = wallet.meet()
    tree = cbor2.loads(_request(wallet.world, opened.transcript).to_bytes())
    _is_malformed(wallet, opened, dumps(_spoil(tree, how)))


def _wrong_keys() -> Mapping[str, Each]:
    items = cbor2.loads(ITEMS.raw)
    return {
        "namespace-is-a-number": Each({**items, "nameSpaces": {7: {"name": False}}}, "A namespace that is a number",
                                      "命名空間是數字"),
        "element-is-a-number": Each({**items, "nameSpaces": {vhc.BASIC: {7: False}}}, "An element that is a number",
                                    "欄位名是數字"),
        "namespace-of-nothing": Each({**items, "nameSpaces": {vhc.BASIC: {}}}, "A namespace without elements",
                                     "命名空間沒有欄位"),
        "key-of-info-is-a-number": Each({**items, "requestInfo": {7: 1}}, "A key of requestInfo that is a number",
                                        "requestInfo 的鍵是數字"),
    }


@case("P-REQ-01", "P-REQ-02", nature=Nature.INVALID, zh="要求內的鍵不合規則：狀態 11", each=_wrong_keys)
def test_request_with_a_wrong_key_is_malformed(wallet: WalletTester, items: Any) -> None:
    """A request with a key that is not as its rule has it is answered with status 11."""
    opened = wallet.meet()
    asked = signed(replace(ITEMS, raw=dumps(items)), opened.transcript, wallet.world.sam).to_bytes()
    _is_malformed(wallet, opened, asked)


def _is_malformed(wallet: WalletTester, opened: ReaderSession, raw: bytes) -> None:
    answer = wallet.request(opened, raw, "a spoilt request")
    wallet.equal("status of the response", answer.status, ResponseStatus.DECODING_ERROR)
    wallet.equal("documents in it", len(answer.documents), 0)
    wallet.equal("documents in the response after it", len(wallet.consultation(opened).documents), 1)


# -- the reader's key

@cache
def _key() -> Any:
    _, public = session.ephemeral_key(bytes(31) + b"\1")
    return cbor2.loads(cbor2.loads(session.key_bytes(public)).value)


def _of_key() -> Mapping[str, Each]:
    found = {}
    for label, value in _key().items():
        says, zh = f"Parameter {label} of the reader's key is", f"讀取者金鑰參數 {label}"
        found[f"key-{label} other"] = Each({**_key(), label: other(value)}, f"{says} of another type", f"{zh} 的型別不對")
        less = {k: v for k, v in _key().items() if k != label}
        found[f"key-{label} missing"] = Each(less, f"{says} not there", f"缺少{zh}")
    x = _key()[-2]
    return found | {
        "array": Each([1, 2], "A key that is an array", "金鑰是陣列"),
        "other-curve": Each({**_key(), -1: 2}, "A key on another curve", "別的曲線的金鑰"),
        "other-type": Each({**_key(), 1: 1}, "A key of another type", "別種金鑰"),
        "short-x": Each({**_key(), -2: x[:-1]}, "A coordinate of 31 bytes", "座標只有 31 位元組"),
        "long-x": Each({**_key(), -2: b"\0" + x}, "A coordinate of 33 bytes", "座標有 33 位元組"),
        "compressed": Each({**_key(), -3: True}, "A compressed point", "壓縮的點"),
    }


@case("P-SES-06", "P-GEN-05", nature=Nature.INVALID, zh="讀取者金鑰不合規則：以狀態 11 結束", each=_of_key)
def test_reader_key_that_is_none_ends_the_session(wallet: WalletTester, key: Any) -> None:
    """A SessionEstablishment whose key is not as its rule has it ends the session with status 11."""
    opened = wallet.meet()
    raw = dumps({"eReaderKey": embed(dumps(key)), "data": opened.cipher.seal(b"\xa0")})
    wallet.ended(wallet.send(opened, raw, "a key that is none"), SessionStatus.DECODING_ERROR)


@case("P-SES-04", nature=Nature.INVALID, zh="SessionEstablishment 的一部分不合規則：以狀態 11 結束", each=lambda: {
    "no-key": Each("eReaderKey", "Without the key", "沒有金鑰"), "no-data": Each("data", "Without data", "沒有資料"),
})
def test_establishment_without_a_part_ends_the_session(wallet: WalletTester, missing: str) -> None:
    """A SessionEstablishment without one of its parts ends the session with status 11."""
    opened = wallet.meet()
    whole = cbor2.loads(wallet.first(opened, b"\xa0"))
    wallet.ended(wallet.send(opened, dumps({k: v for k, v in whole.items() if k != missing}), "without a part"),
                 SessionStatus.DECODING_ERROR)


# -- what is written

def _of_batch() -> Mapping[str, Each]:
    world = World(1)
    return _spoilt(cbor2.loads(Writer(world).visit().to_bytes()), (), ())


@case("P-WBK-03", "P-WBK-04", nature=Nature.INVALID, zh="批次的一部分不合規則：錯誤 -6，不寫入", destructive=True, each=_of_batch)
def test_batch_with_a_wrong_part_is_malformed(wallet: WalletTester, how: Spoilt) -> None:
    """A batch of which one part is not as its rule has it is answered with -6."""
    opened = wallet.meet()
    writer = Writer(wallet.holding(wallet.shown_card(opened)))
    raw = dumps(_spoil(cbor2.loads(writer.visit().to_bytes()), how))
    items = items_request(vhc.DOCTYPE, {vhc.WRITE: {vhc.RECEIPT: True}}, {vhc.WRITE_INFO: embed(raw)})
    answer = wallet.request(opened, wallet.asked(opened, items, wallet.world.physician), "a spoilt batch")
    wallet.equal("documents in the answer", len(answer.documents), 0)
    wallet.equal("error for the document", answer.errors.get(vhc.DOCTYPE), -6)
