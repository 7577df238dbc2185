"""The test vectors: the same seed gives the same bytes, the manifest keeps its closed schema, and our own reader and holder's
device say of each vector what it states."""

from __future__ import annotations

import hashlib
import io
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image
from pydantic import ValidationError

from bench.cli import main
from conformance.vectors.build import CLAUSES, MANIFEST, READ_ME, SCHEMA, build, make, schema
from conformance.vectors.model import Kind, Manifest, Reason, Vector
from virtual_devices.mdoc import session

from .places import ROOT
from .profile_pages import clauses
from .vector_checks import Checks, expected

SEED = 7
VECTORS = tuple(make(SEED).vectors.values())


@cache
def files() -> dict[str, bytes]:
    return build(SEED)


@cache
def checks() -> Checks:
    return Checks(Manifest.model_validate_json(files()[MANIFEST]), files())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v.id)
def test_vector_is_judged_as_it_says(vector: Vector) -> None:
    """Ours believes what is to be believed, and refuses the rest for the very reason and with the very code."""
    assert checks().look(vector) == expected(vector)


def test_same_seed_gives_the_same_bytes_and_another_seed_other_ones() -> None:
    assert build(SEED) == files()
    other = build(SEED + 1)
    same = {path for path in files() if other.get(path) == files()[path]}
    unsigned = {
        "session/nothing.next-message.cbor", "session/termination.cbor", SCHEMA, "request/sam-missing.request.cbor",
        "request/no-documents.request.cbor", "engagement/no-security.text.txt", "card-code/too-long.text.txt",
        "authorization/no-proof.proof.cbor",
        *(f"response/{name}.response.cbor" for name in (
            "declined", "not-asked", "may-never", "not-in-force", "authorization-ended", "sam-refused", "hpc-refused",
            "unknown-error", "nothing", "status-11",
        )),
    }
    assert set(other) == set(files()) and same == unsigned


def test_vector_that_is_refused_differs_in_what_it_says_and_in_nothing_else() -> None:
    by_id = {v.id: v for v in VECTORS}
    for vector in VECTORS:
        if vector.differs_from is None:
            assert vector.expected.accepted and not vector.differs_in, vector.id
            continue
        model = by_id[vector.differs_from]
        mine: dict[Any, Any] = {**vector.files, **vector.values}
        its: dict[Any, Any] = {**model.files, **model.values}
        content = {**{k: files()[p] for k, p in vector.files.items()}, **vector.values}
        other = {**{k: files()[p] for k, p in model.files.items()}, **model.values}
        changed = {what for what in mine | its if content.get(what) != other.get(what)}
        assert model.expected.accepted and changed == set(vector.differs_in) and len(changed) == 1, vector.id
        assert vector.expected.reason is not Reason.ACCEPTED, vector.id


def test_every_kind_has_accepted_and_refused_vectors_and_every_reason_is_used() -> None:
    for kind in Kind:
        told = {v.expected.accepted for v in VECTORS if v.kind is kind}
        assert told == {True, False}, kind
    used = {v.expected.reason for v in VECTORS}
    assert used == set(Reason)


def test_read_me_names_clauses_of_the_profile_for_every_kind() -> None:
    assert list(CLAUSES) == [k for k in CLAUSES if f"| `{k.value}` | {CLAUSES[k]} |" in files()[READ_ME].decode()]
    assert set(CLAUSES) == set(Kind)
    named = {clause for text in CLAUSES.values() for clause in re.findall(r"P-[A-Z]{3}(?:-\d\d)?", text)}
    assert all(any(known.startswith(clause) for known in clauses()) for clause in named)


def test_manifest_names_every_file_with_its_digest() -> None:
    manifest = checks().manifest
    assert {f.path for f in manifest.files} == set(files()) - {MANIFEST, SCHEMA, READ_ME}
    for listed in manifest.files:
        raw = files()[listed.path]
        assert (hashlib.sha256(raw).hexdigest(), len(raw)) == (listed.sha256, listed.bytes), listed.path
    used = {path for v in manifest.vectors for path in v.files.values()}
    assert used <= set(files())


def test_schema_is_closed_and_the_one_in_the_reference() -> None:
    made = schema()
    objects = [made, *made["$defs"].values()]
    assert all(o["additionalProperties"] is False for o in objects if o.get("type") == "object")
    assert json.loads(files()[SCHEMA]) == made
    kept = (ROOT / "docs" / "reference" / "schema" / "vectors.json").read_bytes()
    assert kept == files()[SCHEMA]  # vhc-bench vectors --out DIR, then DIR/schema.json


@pytest.mark.parametrize("change", [
    lambda m: m.update(more=1), lambda m: m["vectors"][0].update(note="x"), lambda m: m["vectors"][0].update(id="A B"),
    lambda m: m["vectors"][0]["expected"].update(reason="because"), lambda m: m["vectors"][0]["says"].pop("zh"),
    lambda m: m["vectors"][0]["files"].update(other="x"), lambda m: m["keys"][0]["jwk"].pop("d"), lambda m: m.pop("at"),
])
def test_manifest_with_anything_else_is_refused(change: Any) -> None:
    body = json.loads(files()[MANIFEST])
    change(body)
    with pytest.raises(ValidationError):
        Manifest.model_validate(body)


def test_pictures_say_what_the_texts_say() -> None:
    """Read back by another's program."""
    pairs = {
        "engagement/qr.png": "engagement/qr.text.txt", "card-code/unbound.png": "card-code/unbound.text.txt",
        "card-code/bound.png": "card-code/bound.text.txt", "card-code/challenge.png": "card-code/bound.challenge.txt",
        "prescription-code/whole.png": "prescription-code/whole.text.txt",
    }
    texts = {path: files()[text].decode() for path, text in pairs.items()}
    parts = files()["prescription-code/parts.texts.txt"].decode().splitlines()
    texts |= {f"prescription-code/part-{n}.png": part for n, part in enumerate(parts, 1)}
    assert set(texts) == {path for path in files() if path.endswith(".png")}
    for path, text in texts.items():
        (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(files()[path])), formats=zxingcpp.BarcodeFormat.QRCode)
        assert found.text == text, path


def test_session_keys_follow_from_the_published_private_keys() -> None:
    suite = checks()
    for s in suite.manifest.sessions:
        device, reader = suite.key(s.device_key), suite.key(s.reader_key)
        assert session.agree(device, reader.public_key()).hex() == s.shared_secret
        assert reader.exchange(ec.ECDH(), device.public_key()).hex() == s.shared_secret
        assert hashlib.sha256(session.embedded(files()[s.transcript])).hexdigest() == s.salt
        assert len({s.sk_reader, s.sk_device, s.e_mac_key}) == 3


def test_command_writes_the_suite_and_nothing_over_something_else(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["vectors", "--out", str(tmp_path / "v"), "--seed", str(SEED)])
    assert done.exit_code == 0, done.output
    written = {p.relative_to(tmp_path / "v").as_posix(): p.read_bytes() for p in (tmp_path / "v").rglob("*") if p.is_file()}
    assert written == files() and done.output.strip() == str(tmp_path / "v" / MANIFEST)
    again = CliRunner().invoke(main, ["vectors", "--out", str(tmp_path / "v")])
    assert again.exit_code == 2
    (tmp_path / "a file").write_text("x")
    assert CliRunner().invoke(main, ["vectors", "--out", str(tmp_path / "a file" / "v")]).exit_code == 2
