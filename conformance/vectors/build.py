"""All vectors of one seed, as files: the same seed, the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from conformance.vectors import (
    authorizations,
    codes,
    credentials,
    engagements,
    late,
    lists,
    prescriptions,
    requests,
    responses,
    sessions,
    wards,
    writing,
)
from conformance.vectors.model import Kind, Manifest, Vector
from conformance.vectors.pictures import png
from conformance.vectors.suite import Suite, both, moment
from conformance.vectors.world import NOW_NS, Reader, World

FORMAT = "tw.nhi.bench.vectors.1"
MANIFEST, SCHEMA, READ_ME = "manifest.json", "schema.json", "README.md"
SAYS = both(
    "虛擬健保卡參考協定的測試向量：何者應接受、何者應拒絕，各附理由與應有代碼。協定為本測試臺自訂（profile），並非健保署規格。"
    "金鑰皆為公開的測試金鑰，人物皆為虛構。",
    "Test vectors of the bench's reference protocol for the virtual health insurance card: what is to be accepted, what is to be "
    "refused, why, and with which code. The protocol is a profile of the bench, no specification of the administration. "
    "Keys are published test keys; all persons are invented.",
)


def build(seed: int) -> dict[str, bytes]:
    """Path -> bytes: the manifest, its schema, and every file that the manifest names."""
    suite = make(seed)
    suite.files |= {path: png(text) for path, text in suite.pictures.items()}
    manifest = Manifest(
        format=FORMAT, seed=seed, at=moment(NOW_NS), says=SAYS, keys=tuple(suite.keys.values()),
        sessions=tuple(suite.sessions.values()), vectors=tuple(suite.vectors.values()), files=suite.listed(),
    )
    return {
        **suite.files, MANIFEST: _json(manifest.model_dump(mode="json", exclude_none=True)), SCHEMA: _json(schema()),
        READ_ME: _read_me(manifest).encode(),
    }


def make(seed: int) -> Suite:
    """The suite itself, its pictures not drawn."""
    suite, world = Suite(), World(seed)
    _trust(suite, world)
    lists.add(suite, world)
    credentials.add(suite, world)
    opened = engagements.add(suite, world)
    sessions.add(suite, world, opened)
    requests.add(suite, world, opened["qr"], opened["other"])
    responses.add(suite, world, opened["nfc"], opened["other"])
    wards.add(suite, world, opened["nfc"], opened["other"])
    writing.add(suite, world)
    late.add(suite, world)
    codes.add(suite, world)
    prescriptions.add(suite, world)
    authorizations.add(suite, world, opened["nfc"], opened["other"])
    return suite


CLAUSES: Mapping[Kind, str] = {
    Kind.CREDENTIAL: "P-BEL-01, P-CRT-07, P-BEL-07",
    Kind.RESPONSE: "P-BEL-01 to P-BEL-04, P-BEL-07, P-BEL-08, P-WBK-05",
    Kind.ENGAGEMENT: "P-ENG, P-ENG-07",
    Kind.HANDOVER: "P-HND, P-ENG-07",
    Kind.SESSION: "P-SES",
    Kind.REQUEST: "P-REQ, P-RDR-12, P-RSP-03, P-ERR-01",
    Kind.BATCH: "P-WBK-03, P-WBK-04",
    Kind.RECEIPT: "P-WBK-06",
    Kind.LATE_RECORDS: "P-LAT-02, P-LAT-03",
    Kind.CARD_CODE: "P-QRC-06, P-QRC-07",
    Kind.PRESCRIPTION_CODE: "P-QRX-06, P-QMP-02",
    Kind.AUTHORIZATION: "P-AUT-10, P-AUT-11",
    Kind.STATUS_LIST: "P-STA-06 to P-STA-08",
}
"""By what in the profile each kind is decided."""


def schema() -> dict[str, Any]:
    """The closed JSON schema of the manifest."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Manifest.model_json_schema()}


def _trust(suite: Suite, world: World) -> None:
    """Anchors, certificates, and the keys of everybody."""
    suite.file("trust/root.pem", pem(world.authority.root_der), "信任根：讀取者、清單與授權",
        "trust anchor: of readers, lists and authorizations")
    suite.file("trust/iaca.pem", pem(world.authority.iaca_der), "IACA 信任根：只用於簽發卡片者",
        "trust anchor: of document signers only")
    suite.file("trust/stranger-root.pem", pem(world.stranger.root_der), "不受信任的根：用於偽造的向量",
        "a root that nobody trusts: for forged vectors")
    for name, chain, zh, en in (
        ("document-signer", world.signer.chain, "簽發卡片", "signs cards"), ("data-centre", world.centre.chain, "簽發清單與授權",
         "signs lists and authorizations"),
        ("sam", world.sam.chain, "安全模組（SAM）的讀取者憑證", "the SAM's reader certificate"),
        ("physician", world.physician.chain, "醫師卡的讀取者憑證", "the physician's reader certificate"),
        ("pharmacist", world.pharmacist.chain, "藥師卡的讀取者憑證", "the pharmacist's reader certificate"),
        ("other-use", world.other_use.chain, "非醫療用途的讀取者憑證", "a reader certificate outside medical care"),
    ):
        suite.file(f"trust/{name}.pem", b"".join(map(pem, chain)), f"{zh}（憑證鏈，不含信任根）",
            f"{en} (chain, without the root)")
    suite.key("device", world.device, "卡片憑證所綁定的裝置金鑰", "the device key that the credential is bound to")
    suite.key("code", world.code_key, "包裝 QR 條碼的金鑰", "the key that wraps QR codes")
    suite.key("guardian", world.guardian, "代理人的裝置金鑰", "the guardian's device key")
    suite.key("document-signer", world.signer.key, "簽發卡片的金鑰", "signs cards")
    suite.key("data-centre", world.centre.key, "資料中心的金鑰", "the data centre's key")
    suite.key("root", world.authority.root_key, "信任根的金鑰", "the root's key")
    suite.key("iaca", world.authority.iaca_key, "IACA 信任根的金鑰", "the IACA root's key")
    readers: tuple[tuple[str, Reader, str, str], ...] = (
        ("sam", world.sam, "安全模組的金鑰", "the SAM's key"), ("physician", world.physician, "醫師卡的金鑰",
         "the physician's key"),
        ("pharmacist", world.pharmacist, "藥師卡的金鑰", "the pharmacist's key"), ("other-use", world.other_use,
         "非醫療讀取者的金鑰", "the other reader's key"),
    )
    for name, reader, zh, en in readers:
        suite.key(name, reader.key, zh, en)


def pem(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def _read_me(manifest: Manifest) -> str:
    """For people: what is here, and how to use it."""
    good = sum(v.expected.accepted for v in manifest.vectors)
    rows = "\n".join(_row(vector) for vector in manifest.vectors)
    clauses = "\n".join(f"| `{kind.value}` | {text} |" for kind, text in CLAUSES.items())
    return f"""# 測試向量 / Test vectors

{manifest.says.zh}

{manifest.says.en}

- {len(manifest.vectors)} 個向量，{good} 個應接受；查驗時間 {manifest.at}，除非向量另有 `at`。
  {len(manifest.vectors)} vectors, {good} to be accepted; checked at {manifest.at} unless a vector has its own `at`.
- `manifest.json` 依 `schema.json`（封閉式）；每個無效向量寫明與哪個有效向量不同、不同在哪些輸入。
  `manifest.json` follows `schema.json`, which is closed; each vector to be refused names the one that it differs from, and where.
- 信任 `trust/root.pem`，簽發卡片者則只信任 `trust/iaca.pem`。
  Trust `trust/root.pem`, and for document signers `trust/iaca.pem` alone.
- 狀態清單為 `trust/status-*.cbor`；讀取者憑證效期不得超過 72 小時；時差容許 30 秒。
  Status lists are `trust/status-*.cbor`; reader certificates of more than 72 hours are refused;
  clocks may differ by 30 s.
- `batch/*`、`late-records/*`：裝置是空的（版次 0），除非有 `before`；`batch/*` 的會話已驗證 `trust/sam.pem` 與
  `trust/physician.pem`。
  `batch/*`, `late-records/*`: the device is empty (generation 0) unless there is a `before`; in the session of `batch/*`
  `trust/sam.pem` and `trust/physician.pem` have proved themselves.
- `request/*`、`session/*`：裝置是空的，持有 `credential/whole` 與金鑰 `device`，持卡人同意一切；`shown` 是應離開裝置的欄位，
  `code` 是其餘欄位（0 除外）或整份文件的錯誤碼。
  `request/*`, `session/*`: the device is empty, it has `credential/whole` and the key `device`, and the holder agrees to
  everything; `shown` is what leaves, `code` the error code of the rest (0 aside), or of the document.
- `card-code/*`：發卡憑證在 `trust/document-signer.pem`；`before` 是此讀取者先前收下的條碼。`prescription-code/*`：簽發者的憑證是
  `trust/sam.pem` 與 `trust/physician.pem` 的第二張；`texts` 每行一張條碼。
  `card-code/*`: the signer's certificate is in `trust/document-signer.pem`; `before` is a code that this reader took before.
  `prescription-code/*`: the authorities are the second certificates in `trust/sam.pem` and `trust/physician.pem`; `texts` has
  a code a line.
- `authorization/*`：卡片綁定於金鑰 `guardian`；`response/*`：讀取者要求範圍 basic、用途 outpatient（掛號）。
  `authorization/*`: the card is bound to the key `guardian`; `response/*`: the reader asks for scope basic and
  purpose outpatient (a registration).
- 現行虛擬健保卡的條碼是不透明的一次性代碼，只有雲端能解；沒有它的向量。
  The deployed card's QR code is an opaque token for a single use that only the cloud resolves: there are no vectors of it.
- 種子 / seed {manifest.seed}: `vhc-bench vectors --out DIR --seed {manifest.seed}`

| kind | 依據（profile 條款）/ decided by (clauses of the profile) |
|---|---|
{clauses}

| id | | reason | code | 說明 | what it is |
|---|---|---|---|---|---|
{rows}
"""


def _row(vector: Vector) -> str:
    expected, says = vector.expected, vector.says
    mark = "✓" if expected.accepted else "✗"
    code = f"{expected.code.space.value} {expected.code.number}" if expected.code.number else ""
    return f"| `{vector.id}` | {mark} | {expected.reason.value} | {code} | {says.zh} | {says.en} |"
