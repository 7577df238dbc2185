"""The command ``devices``: every medium by itself; one that is missing is told with its remedy and hides no other."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bench import looking
from bench.drivers import MEDIA, Found, ble, nfc, pcsc
from bench.exits import ENVIRONMENT, PASS
from bench.watch import Event, EventKind, Watcher, sources
from virtual_devices.errors import LinkError

from .run_directories import EXCHANGE, write_run


@pytest.fixture(autouse=True)
def media(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(pcsc, "discover", lambda: missing("no PC/SC service answers: start it"))
    monkeypatch.setattr(nfc, "discover", lambda: [Found("nfc:usb:072f:2200", "ACS ACR122U", False)])
    monkeypatch.setattr(ble, "discover", lambda: missing("no system D-Bus answers: start it"))


def missing(why: str) -> list[Found]:
    raise LinkError(why)


def test_missing_medium_is_told_and_hides_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert looking.listing(as_json=True) == PASS
    out, err = capsys.readouterr()
    assert [json.loads(line)["moniker"] for line in out.splitlines()] == ["nfc:usb:072f:2200"]
    assert err.splitlines() == ["ble: no system D-Bus answers: start it", "pcsc: no PC/SC service answers: start it"]


def test_nothing_found_and_a_medium_missing_is_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(nfc, "discover", list)
    assert looking.listing(as_json=False) == ENVIRONMENT
    assert capsys.readouterr().out == ""


def test_laboratory_says_which_of_its_devices_are_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", iter([EXCHANGE]))
    lab = tmp_path / "lab.toml"
    lab.write_text(
        f'[devices.recorded]\nmoniker = "replay:{run}"\nmake = "ours"\n[devices.lost]\nmoniker = "replay:{tmp_path}/none"\n'
    )
    assert looking.laboratory(lab, as_json=True) == ENVIRONMENT
    recorded, lost = map(json.loads, capsys.readouterr().out.splitlines())
    assert (recorded["there"], recorded["detail"]) == (True, "ours")
    assert not lost["there"] and "no run directory" in lost["state"]
    named = ("virtual", "https://localhost:1", "vpcd:", "program:none", "nfc:own", "nfc:udp:localhost:54321")
    lab.write_text("".join(f'[devices.d{at}]\nmoniker = "{moniker}"\n' for at, moniker in enumerate(named)))
    assert looking.laboratory(lab, as_json=False) == PASS
    assert capsys.readouterr().out.count("named only: not looked for") == len(named)


class Piped:
    """A source that reports what is put into it, or fails."""

    def __init__(self, events: Sequence[Event] = (), *, starts: bool = True, takes: bool = True) -> None:
        self.read, self.write = os.pipe()
        self._events, self._starts, self._takes = events, starts, takes
        self.closed = False
        os.write(self.write, b"!")

    def start(self) -> None:
        if not self._starts:
            raise LinkError("cannot be watched: install it")

    def fileno(self) -> int:
        return self.read

    def take(self) -> Sequence[Event]:
        os.read(self.read, 1)
        if not self._takes:
            raise LinkError("cannot be watched: the worker ended")
        return self._events

    def close(self) -> None:
        if not self.closed:
            os.close(self.read)
            os.close(self.write)
        self.closed = True


@pytest.fixture
def event() -> Iterator[Event]:
    yield Event(EventKind.APPEARED, "nfc:usb", 1)


def test_medium_that_cannot_be_watched_leaves_the_others_watched(event: Event) -> None:
    told: list[str] = []
    bad, worse, good = Piped(starts=False), Piped(takes=False), Piped([event])
    with Watcher([bad, worse, good], told.append) as watcher:
        assert watcher.poll(1.0) == [event]
        assert watcher.poll(0) == []
        assert bad.closed and worse.closed and not good.closed
    assert told == ["cannot be watched: install it", "cannot be watched: the worker ended"]
    assert good.closed


def test_medium_that_cannot_be_watched_is_an_error_where_nobody_is_told(event: Event) -> None:
    other = Piped([event])
    with pytest.raises(LinkError), Watcher([other, Piped(starts=False)]):
        raise AssertionError("unreachable")
    assert other.closed


def test_media_where_things_come_and_go_have_a_source() -> None:
    found, without = sources()
    assert {getattr(source, "medium", "") for source in found} | set(without) >= {"pcsc", "nfc", "ble"}
    assert set(without) <= set(MEDIA)
