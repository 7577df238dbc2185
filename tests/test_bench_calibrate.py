"""Calibration end to end: over the model, through nfcpy's UDP, through pcscd; the profile is read by a scenario file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.calibrating import Samples, WalletDesk, held, profile, sample
from bench.cli import main
from bench.clock import WallClock
from bench.drivers import nfc
from bench.monikers import for_role
from bench.presenting import sample_card
from bench.rig import Rig
from bench.run import manifest
from bench.sample_phone import PIN, SamplePhone
from bench.stacks.pcscd import PrivatePcscd
from bench.willing import Willing, WillingHolder
from scenarios import files, profiles
from scenarios.listing import ScenarioFaults
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.flow import PromptPeople, Session
from virtual_devices.link import Attempt, DirectLink, Outcome, Provenance
from virtual_devices.reader.presentation import Counter
from virtual_devices.reader.visit import read_public
from virtual_devices.wallet.faces import NfcFace

from . import nfc_desk, virtual_readers
from .virtual_readers import presented

daemon, patient = virtual_readers.own_pcscd, virtual_readers.patient


def taken(role: str, moniker: str, count: int, **more: object) -> Samples:
    return sample(role, for_role(role, moniker), count, people=PromptPeople(), **more)  # type: ignore[arg-type]


def kept(folder: Path, values: dict[str, object]) -> profiles.Profile:
    path = folder / "device.toml"
    path.write_text(profiles.to_toml(values), encoding="utf-8")
    return profiles.load(path)


@pytest.fixture(scope="module")
def modelled() -> Samples:
    return taken("wallet", "virtual", 12)


def test_profile_of_the_model_is_written_and_read_back(modelled: Samples, tmp_path: Path) -> None:
    made = kept(tmp_path, profile("wallet", "virtual", modelled, described={"make": 'M "x"', "firmware": "1.0"}))
    assert (made.origin.provenance, made.origin.make, made.origin.firmware) == ("modelled", 'M "x"', "1.0")
    assert made.origin.samples == modelled.ended["whole"] and made.origin.samples + made.origin.broken_off == 12
    assert {"found", "engaged", "response", "closed"} <= made.segments.keys()
    assert made.field is not None and made.field.found.median_ms > 100
    assert any(text.startswith("field.found") for text in made.measured)


def test_summary_of_a_segment_has_percentiles_that_occurred(modelled: Samples) -> None:
    found = profile("wallet", "virtual", modelled)["segments"]["found"]
    whole = {row.session for row in modelled.exchanges if row.step == "end session"}
    times = sorted(row.duration_ns / 1e6 for row in modelled.exchanges if row.step == "find phone" and row.session in whole)
    assert (found["n"], found["median_ms"], found["p95_ms"]) == (len(times), times[(len(times) - 1) // 2], times[-1])


def test_scenario_takes_the_profile_where_it_writes_nothing_itself(modelled: Samples, tmp_path: Path) -> None:
    made = kept(tmp_path, profile("wallet", "virtual", modelled))
    path = tmp_path / "scenario.toml"
    path.write_text('situation = "clinic_morning"\ntitle = "t"\nprofiles = ["device.toml"]\n')
    scenario = files.load(path)
    assert scenario.params.field == made.field
    assert files.restore(files.dump(scenario)) == scenario
    with pytest.raises(UsageError, match="no such table"):
        files.load(path, {"params.field.kbit_s": "212"})
    path.write_text(path.read_text() + "[params.field]\nkbit_s = 212\n")
    with pytest.raises(UsageError, match=r"device\.toml is of field"):
        files.load(path)


def test_run_says_which_profile_stands_for_what_and_no_longer_calls_it_assumed(modelled: Samples, tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text('situation = "clinic_morning"\ntitle = "t"\nprofiles = ["device.toml"]\n')
    doubt = "their times and the share of failed taps are assumed (params.field)"
    for provenance in ("modelled", "measured"):
        kept(tmp_path, profile("wallet", "virtual", replace(modelled, provenance=provenance)))
        told = manifest(files.load(path), Rig(), 0)
        (stood,) = told["latency_profiles"]
        assert (stood["file"], stood["places"], stood["provenance"]) == ("device.toml", ["params.field"], provenance)
        assert stood["samples"] and "field.held_ms is assumed" in stood["assumed"]
        assert any(doubt in text for text in told["doubts"]) == (provenance == "modelled")
    plain = tmp_path / "plain.toml"
    plain.write_text('situation = "clinic_morning"\ntitle = "t"\n')
    assert "latency_profiles" not in manifest(files.load(plain), Rig(), 0)


def test_two_profiles_of_one_kind_are_refused(modelled: Samples, tmp_path: Path) -> None:
    kept(tmp_path, profile("wallet", "virtual", modelled))
    (tmp_path / "other.toml").write_text((tmp_path / "device.toml").read_text())
    path = tmp_path / "scenario.toml"
    path.write_text('situation = "clinic_morning"\ntitle = "t"\nprofiles = ["device.toml", "other.toml"]\n')
    with pytest.raises(UsageError, match=r"device\.toml and other\.toml are both of field; keep one of them"):
        files.load(path)


def test_profile_with_a_wrong_key_is_refused_at_its_place(modelled: Samples, tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(profiles.to_toml(profile("wallet", "virtual", modelled)).replace("kbit_s", "kbits"))
    with pytest.raises(ScenarioFaults, match=r"field\.kbits: unknown key"):
        profiles.load(path)


def test_contact_card_of_the_model_has_its_profile(tmp_path: Path) -> None:
    made = kept(tmp_path, profile("card", "virtual", taken("card", "virtual", 40)))
    assert made.contact is not None and made.contact.reset_ms == pytest.approx(45, rel=0.1)
    assert set(made.segments) == {"found", "response"}


def test_phone_through_nfcpy_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("LIST_LIMIT_S", "CONNECT_SLACK_S"):  # a busy machine is not to be taken for a hung one
        monkeypatch.setattr(nfc, limit, nfc_desk.LIMIT_S)
    phone, clock = SamplePhone(1, WallClock().now_ns()).phone, WallClock()
    device = Willing(NfcFace(phone), WillingHolder(phone, PIN, clock))
    with nfc_desk.presented(device, clock=clock) as there:
        samples = taken("wallet", there.moniker, 3)
    assert samples.ended == {"whole": 3}
    made = kept(tmp_path, profile("wallet", there.moniker, samples))
    assert made.origin.provenance == "measured" and made.segments["verified"].n == 3


@pytest.mark.needs("pcsc")
@pytest.mark.usefixtures("patient")
def test_card_through_pcscd_is_measured(daemon: PrivatePcscd, tmp_path: Path) -> None:
    with presented(sample_card(1), daemon.ports[0]):
        samples = taken("card", "pcsc:Virtual PCD 00 00", 3, env=daemon.env)
    assert samples.ended == {"whole": 3}
    made = kept(tmp_path, profile("card", "pcsc:x", samples))
    assert made.contact is not None and made.segments["response"].n == 6


def test_phone_of_another_authority_is_measured_up_to_its_refusal() -> None:
    desk, foreign, samples = WalletDesk(2, WallClock()), WalletDesk(3, WallClock()), Samples()
    links = {**desk.links, "wallet": DirectLink(foreign.willing(), desk.clock, channel="nfc")}
    assert held(desk.present(Counter()), Session(links, desk.clock, PromptPeople(), samples.record))[0] == "refused"
    assert {row.step for row in samples.exchanges} >= {"find phone", "engage by NFC", "present virtual card"}


class Gone:
    """A link behind which nobody is."""

    channel, device, provenance = "nfc", "nfc:usb", Provenance.MEASURED
    last_error, worker_pid = "no phone in the field: hold it to the reader", None

    def connect(self, timeout_s: float) -> Attempt:
        return Attempt(Outcome.GONE, 1)

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        return Attempt(Outcome.GONE, 1)

    def close(self) -> None: ...


def test_device_that_is_not_there_ends_it_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.probe.open_device", lambda *_: Gone())
    with pytest.raises(LinkError, match=r"nfc:usb has not answered within 6 s, at the step 'find phone': no phone in the field"):
        taken("wallet", "nfc:usb", 50)


class Leaving(Gone):
    """A phone that leaves for good after so many taps."""

    def __init__(self, taps: int) -> None:
        self.device_, self._left, self._clock = WalletDesk(1, WallClock()).willing(), taps, WallClock()

    def connect(self, timeout_s: float) -> Attempt:
        self._left -= 1
        return Attempt(Outcome.REPLIED, 5, self.device_.power_on()) if self._left >= 0 else super().connect(timeout_s)

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        return Attempt(Outcome.REPLIED, 9, self.device_.handle(message, self._clock.now_ns()))


@pytest.mark.parametrize("taps", [1, 3])
def test_device_that_leaves_for_good_leaves_the_profile_of_the_sessions_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, taps: int,
) -> None:
    monkeypatch.setattr("bench.probe.open_device", lambda *_: Leaving(taps))
    made = tmp_path / "device.toml"
    done = CliRunner().invoke(main, ["calibrate", "--wallet", "nfc:usb", "-n", "50", "-q", "--out", str(made)])
    assert done.exit_code == 3 and "10 sessions in a row broke off" in done.output and made.exists() == (taps > 1)
    if taps > 1:
        origin = profiles.load(made).origin
        assert (origin.samples, origin.broken_off) == (taps, 0) and f"{taps} sessions: {taps} whole" in done.output


def test_what_is_no_card_makes_no_profile_of_one() -> None:
    clock, samples = WallClock(), Samples()
    link = DirectLink(WalletDesk(1, clock).willing(), clock)
    for number in range(3):
        session = Session({"card": link}, clock, PromptPeople(), samples.record, name=f"s{number}")
        samples.ended[held(read_public(), session)[0]] += 1
    assert samples.ended == {"refused": 3}
    with pytest.raises(UsageError, match="has no public data to read; is it an NHI card"):
        profile("card", "pcsc:x", samples)


def test_too_few_sessions_make_no_profile() -> None:
    with pytest.raises(UsageError, match="too few"):
        profile("wallet", "virtual", Samples())
