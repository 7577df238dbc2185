"""An exported audit log, judged from outside: what it proves, what it does not, and what is wrong with it, by entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from bench.datacentre.audit_files import Evidence
from virtual_devices.cloud.audit import Head, read_head
from virtual_devices.errors import PeerError
from virtual_devices.merkle import Growing, leaf_hash, verify_consistency, verify_inclusion
from virtual_devices.pki import ChainVerifier


@dataclass
class Findings:
    """In two languages each: (English, 正體中文)."""

    wrong: list[tuple[str, str]] = field(default_factory=list)
    proved: list[tuple[str, str]] = field(default_factory=list)
    open: list[tuple[str, str]] = field(default_factory=list)


def check(evidence: Evidence, root: ChainVerifier | None) -> Findings:
    """``root``: of the data centre's certificates; without it signatures are left open."""
    found = Findings()
    heads = _heads(evidence, root, found)
    whole = _numbered(evidence, found)
    roots = _roots(evidence, {head.size for head in heads}) if whole else {}
    _rolled_back(evidence, heads, whole, found)
    _against_roots(heads, roots, found)
    _included(evidence, heads, found)
    _continued(evidence, heads, found)
    _left_open(evidence, root, whole, found)
    return found


def _heads(evidence: Evidence, root: ChainVerifier | None, found: Findings) -> list[Head]:
    heads = []
    for number, raw in enumerate(evidence.heads, 1):
        try:
            heads.append(read_head(raw, root))
        except PeerError as error:
            found.wrong.append((f"head {number}: {error}", f"第 {number} 個簽章樹首：{error}"))
    if not evidence.heads:
        found.wrong.append(("there is no signed head: nothing can be proved", "沒有簽章樹首：無從證明"))
    heads.sort(key=lambda head: (head.at_ns, head.size))
    if heads and root is not None:
        found.proved.append((
            f"{len(heads)} head(s) are signed by the data centre, the last over {heads[-1].size} entries",
            f"{len(heads)} 個樹首確由資料中心簽署，最後一個涵蓋 {heads[-1].size} 筆紀錄",
        ))
    return heads


def _numbered(evidence: Evidence, found: Findings) -> bool:
    """Whether the entries are a whole history from the first. Names what is missing or out of place where it should be one."""
    if evidence.inclusions:
        return False
    for place, entry in enumerate(evidence.entries):
        if entry.number > place:
            found.wrong.append((f"entry {place} is missing", f"缺少第 {place} 筆紀錄"))
            return False
        if entry.number < place:
            found.wrong.append((f"entry {entry.number} is out of its place", f"第 {entry.number} 筆紀錄不在原位"))
            return False
    return bool(evidence.entries)


def _roots(evidence: Evidence, sizes: set[int]) -> Mapping[int, bytes]:
    growing = Growing()
    roots = {0: growing.root()}
    for entry in evidence.entries:
        growing.add(leaf_hash(entry.encoded()))
        if growing.size in sizes:
            roots[growing.size] = growing.root()
    return roots


def _rolled_back(evidence: Evidence, heads: list[Head], whole: bool, found: Findings) -> None:
    for earlier, later in pairwise(heads):
        if later.size < earlier.size:
            found.wrong.append((
                f"the log was rolled back: a head over {earlier.size} entries is followed by one over {later.size}",
                f"紀錄遭回溯：曾簽署 {earlier.size} 筆，之後卻只有 {later.size} 筆",
            ))
    if whole and heads and len(evidence.entries) < max(head.size for head in heads):
        size = max(head.size for head in heads)
        found.wrong.append((
            f"the log was cut short: a head is over {size} entries, {len(evidence.entries)} are there",
            f"紀錄遭截短：樹首涵蓋 {size} 筆，現存 {len(evidence.entries)} 筆",
        ))


def _against_roots(heads: list[Head], roots: Mapping[int, bytes], found: Findings) -> None:
    good = 0
    for head in sorted(heads, key=lambda each: each.size):
        if head.size not in roots:
            continue
        if roots[head.size] != head.root:
            found.wrong.append((
                f"entries {good} to {head.size - 1}: one was changed, or two were exchanged: they do not give the signed root",
                f"第 {good} 至 {head.size - 1} 筆之中有遭竄改或調換者：算得的樹根與簽署者不符",
            ))
            break
        good = head.size
    if good:
        found.proved.append((
            f"all entries 0 to {good - 1} are there, as they were when the data centre signed",
            f"第 0 至 {good - 1} 筆俱在，與資料中心簽署時相同",
        ))


def _included(evidence: Evidence, heads: list[Head], found: Findings) -> None:
    roots = {head.size: head.root for head in heads}
    good = 0
    for entry in evidence.entries if evidence.inclusions else ():
        size, proof = evidence.inclusions.get(entry.number, (0, []))
        if size not in roots or not verify_inclusion(leaf_hash(entry.encoded()), entry.number, size, proof, roots[size]):
            english = f"entry {entry.number} is not proved under any head"
            found.wrong.append((english, f"第 {entry.number} 筆無法證明列於任何樹首之下"))
        else:
            good += 1
    if good:
        found.proved.append((f"{good} entries stand in the signed log as shown", f"{good} 筆紀錄確列於簽署的紀錄中"))


def _continued(evidence: Evidence, heads: list[Head], found: Findings) -> None:
    roots = {head.size: head.root for head in heads}
    for old, size, proof in evidence.consistencies:
        if old not in roots or size not in roots:
            found.open.append((
                f"a consistency proof from {old} to {size} entries lacks one of its heads: give the older file too",
                f"自 {old} 筆至 {size} 筆的一致性證明缺少樹首：請一併提供較早的檔案",
            ))
        elif verify_consistency(old, roots[old], size, roots[size], proof):
            found.proved.append((
                f"the log of {size} entries continues the one of {old}: nothing before was changed",
                f"{size} 筆的紀錄延續 {old} 筆者：先前並無更動",
            ))
        else:
            found.wrong.append((
                f"the log of {size} entries does not continue the one of {old}: its past was rewritten",
                f"{size} 筆的紀錄並非延續 {old} 筆者：過去遭改寫",
            ))


def _left_open(evidence: Evidence, root: ChainVerifier | None, whole: bool, found: Findings) -> None:
    if root is None:
        english = "who signed the heads: name the authority's certificate with --ca"
        found.open.append((english, "樹首由誰簽署：請以 --ca 指定憑證"))
    if not whole:
        found.open.append(("that these are all entries: only some are here", "是否為全部紀錄：此處僅有一部分"))
    found.open.append((
        "that everything was written down when it happened: a log shows that nothing was changed later",
        "事發時是否全數記載：紀錄僅能證明事後未遭更動",
    ))
    if len(evidence.heads) == 1:
        found.open.append((
            "that everybody is shown the same log: compare heads with others, and keep this one",
            "是否人人所見相同：請與他人比對樹首，並保存此檔",
        ))


__all__ = ["Findings", "check"]
