"""``vhc-bench present qr``: what is shown can be read by another's program, and is believed by our reader."""

from __future__ import annotations

import io
import time
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import zxingcpp
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from PIL import Image

from bench import present_qr
from bench.cli import main
from bench.presenters import qr
from bench.sample_phone import SamplePhone
from conformance.vectors import pictures
from virtual_devices.clock import NS
from virtual_devices.link import Work
from virtual_devices.mdoc import engagement
from virtual_devices.mdoc.ble_options import parse
from virtual_devices.pki import ChainVerifier
from virtual_devices.qr import prescription
from virtual_devices.qr.card import read
from virtual_devices.qr.challenge import new_challenge
from virtual_devices.qr.check import Issuers, QrReader, Reason
from virtual_devices.qr.parts import Collector
from virtual_devices.randomness import ByteStream
from virtual_devices.status_list import StatusLists
from virtual_devices.wallet.consent import SESSION_S

from .desk import NOW_NS

KINDS = ["card", "engagement", "prescription", "token"]


def said(*args: str) -> str:
    done = CliRunner().invoke(main, ["present", "qr", "--once", *args])
    assert done.exit_code == 0, done.output
    return done.stdout


def of_blocks(text: str) -> str:
    """What a camera sees of half blocks, light on dark."""
    halves = {"█": (255, 255), "▀": (255, 0), "▄": (0, 255), " ": (0, 0)}
    lines = [line for line in text.split("\n") if line]
    pixels = [[halves[c][half] for c in line] for line in lines for half in (0, 1)]
    picture = np.kron(np.array(pixels, dtype=np.uint8), np.ones((4, 4), dtype=np.uint8))
    (found,) = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)
    return str(found.text)


def reader(trust: bytes, name: str = "reader") -> QrReader:
    root, iaca, signer = (c.public_bytes(Encoding.DER) for c in x509.load_pem_x509_certificates(trust))
    issuers = Issuers(ChainVerifier(root, iaca), Work())
    issuers.take((signer,), time.time_ns())
    return QrReader(name, issuers, StatusLists(ChainVerifier(root), Work()), Work())


def test_card_in_text_is_believed_with_the_certificates_that_are_given(tmp_path: Path) -> None:
    trust = tmp_path / "trust.pem"
    text = said("--format", "text", "--trust", str(trust)).strip()
    assert reader(trust.read_bytes()).check(text, time.time_ns()).reason is Reason.BELIEVED


def test_card_answers_a_challenge(tmp_path: Path) -> None:
    asked, trust = new_challenge("reader", ByteStream("asked")), tmp_path / "trust.pem"
    text = said("--format", "text", "--trust", str(trust), "--challenge", asked.to_text()).strip()
    assert reader(trust.read_bytes()).check(text, time.time_ns(), asked).bound


@pytest.mark.parametrize("kind", KINDS)
def test_picture_and_blocks_say_what_the_text_says(kind: str, tmp_path: Path) -> None:
    texts = getattr(SamplePhone(1, NOW_NS), kind)(NOW_NS)
    for text in texts:
        (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(pictures.png(text))), formats=zxingcpp.BarcodeFormat.QRCode)
        assert found.text == text == of_blocks(pictures.terminal(text))
        assert pictures.code(text).version <= 18 and pictures.code(text).error == "M"
    written = said("--kind", kind, "--format", "png", "--out", str(tmp_path / "code.png")).split()
    assert len(written) == len(texts) and sorted(written) == sorted(str(p) for p in tmp_path.iterdir())
    for name in written:
        (found,) = zxingcpp.read_barcodes(Image.open(name), formats=zxingcpp.BarcodeFormat.QRCode)
        assert found.text[:3] == texts[0][:3]


def test_engagement_offers_both_modes_of_ble() -> None:
    shown = engagement.read_qr(said("--kind", "engagement", "--format", "text").strip())
    method = shown.method(engagement.BLE)
    assert method is not None and len(parse(list(method)).modes) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_engagement_alone_says_beside_the_code_that_nothing_answers(kind: str) -> None:
    done = CliRunner().invoke(main, ["present", "qr", "--once", "--kind", kind, "--format", "text"])
    assert ("nothing answers behind this code" in done.stderr) is (kind == "engagement")
    assert "answers" not in done.stdout  # a program that takes the text gets the code and nothing else


def test_prescription_in_parts_is_one_for_the_card_of_the_same_phone() -> None:
    sample, collector = SamplePhone(3, NOW_NS), Collector()
    for text in sample.prescription(NOW_NS):
        collector.add(text)
    assert collector.whole is not None
    device = read(sample.card(NOW_NS)[0]).device
    authorities = [sample.authority.issue(role, "x").chain[1] for role in (prescription.Role.PHYSICIAN, prescription.Role.SAM)]
    checker = prescription.Checker(ChainVerifier(sample.authority.root_der), authorities, Work())
    assert checker.check(collector.whole, device, NOW_NS).believed


def test_same_seed_is_the_same_holder_and_no_code_comes_twice() -> None:
    first, again, other = SamplePhone(1, NOW_NS), SamplePhone(1, NOW_NS + NS), SamplePhone(2, NOW_NS)
    assert first.holder == again.holder != other.holder and first.trust() == again.trust() != other.trust()
    codes = [sample.card(at_ns)[0] for sample, at_ns in ((first, NOW_NS), (first, NOW_NS + NS), (again, NOW_NS + NS))]
    assert len(set(codes)) == 3
    assert first.token(NOW_NS) != again.token(NOW_NS)
    assert first.holder.expiry_date > date(2026, 3, 2)


def test_code_is_renewed_until_ctrl_c_also_when_the_consent_has_run_out(capsys: pytest.CaptureFixture[str]) -> None:
    now = [NOW_NS]

    def wait(duration_s: float) -> None:
        now[0] += round(duration_s * NS)
        if now[0] > NOW_NS + (SESSION_S + 100) * NS:
            raise KeyboardInterrupt

    ended = present_qr.show(
        "card", "text", once=False, out=None, challenge="", trust=None, seed=1, clock=lambda: now[0], wait=wait,
    )
    lines = capsys.readouterr().out.splitlines()
    assert ended == 0 and len(lines) == len(set(lines)) == (SESSION_S + 100) // 20 + 1
    trust = SamplePhone(1, NOW_NS).trust()
    scanner = reader(trust)
    assert all(scanner.check(text, NOW_NS + n * 20 * NS).believed for n, text in enumerate(lines))


def test_parts_are_shown_in_turn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []

    def wait(duration_s: float) -> None:
        assert duration_s == qr.DWELL_S
        (found,) = zxingcpp.read_barcodes(Image.open(tmp_path / "rx.png"), formats=zxingcpp.BarcodeFormat.QRCode)
        seen.append(found.text)
        if len(seen) == 4:
            raise KeyboardInterrupt

    out = tmp_path / "rx.png"
    assert present_qr.show(
        "prescription", "png", once=False, out=out, challenge="", trust=None, seed=1, clock=lambda: NOW_NS, wait=wait,
    ) == 0
    assert len(set(seen)) == 3 and seen[0] == seen[3]


@pytest.mark.parametrize("args", [
    ["--format", "png"], ["--format", "text", "--out", "x.png"], ["--challenge", "VHC1:AB"],
    ["--kind", "token", "--challenge", "VHR1:AB"], ["--format", "png", "--out", "/nowhere/at/all/x.png"],
])
def test_what_cannot_be_shown_is_said(args: list[str]) -> None:
    done = CliRunner().invoke(main, ["present", "qr", "--once", *args])
    assert done.exit_code == 2 and "Traceback" not in done.output
