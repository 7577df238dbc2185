"""The conformance suite on our own devices behind real stacks, all in one go: pcscd, nfcpy, bleak, HTTP.

Cards of both generations over T=1 and T=0, SAM, professional's card and a phone in readers of one PC/SC service, a phone before
nfcpy, two phones behind their codes and Bluetooth, met by bleak and by bumble; control software with its three cards in more
readers, by its faces; a clinic's and a pharmacy's software before our data centre; readers before our card, by nfcpy, PC/SC,
bleak and bumble: each a process of its own, and tried by ``vhc-bench conform`` as a vendor would, side by side.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.presenters.control import discover
from bench.reach.connections import write_for_software
from bench.stacks.bluez import PrivateBluetooth
from bench.stacks.pcscd import PrivatePcscd
from benchmarks._readers import readers
from benchmarks._table import Figure, options, show
from virtual_devices.errors import LinkError, UsageError

IN_READERS = (("card", "t1", ""), ("card", "t0", ";T=0"), ("sam", "t1", ""), ("hpc", "t1", ""), ("wallet", "t1", ""),
              ("second-card", "t1", ";T=1"), ("second-card", "t0", ";T=0"))
"""What is presented, of which profile if it is a card, and how the moniker asks for its protocol."""
WALLETS = ("wallet", "second-card")
OF_A_DESK = ("card", "sam", "hpc")
FIELD = "udp:127.0.0.1:54399"
PIXIT = "software.pixit.toml"
READY_S, LIMIT_S = 60.0, 3600.0
AIM_S = 600.0
SAMPLE = ("card.public.public-data", "wallet.session.first-message-opens", "clinic.visits.visit-is-checked",
          "reader.presentation.registration-asks")
OFFICES = ("clinic", "pharmacy")
BENCH = (sys.executable, "-m", "bench.cli")


def present(stack: ExitStack, *what: str) -> None:
    """A presenter as a process, which ends with the stack."""
    process = subprocess.Popen([*BENCH, "present", *what], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.kill)


def places(stack: ExitStack, folder: Path, sample: bool) -> list[str]:
    """What ``--dut`` is given, once all of them can be met; ``sample``: one of each medium. Raises LinkError."""
    in_readers = IN_READERS[:1] if sample else IN_READERS
    of_a_desk = () if sample else OF_A_DESK
    service = stack.enter_context(PrivatePcscd(len(in_readers) + len(of_a_desk)))
    bluetooth = stack.enter_context(PrivateBluetooth())
    os.environ.update({**service.env, **bluetooth.env})
    given = []
    for (what, profile, use), reader, port in zip(in_readers, service.readers, service.ports, strict=False):
        present(stack, "vpcd", "--what", what, "--profile", profile, "--port", str(port), "--reader", reader)
        given.append(f"{'wallet' if what in WALLETS else what}=pcsc:{reader}{use}")
    behind = slice(len(in_readers), None)
    slots = zip(service.readers[behind], service.ports[behind], strict=False)
    software = [desk(stack, folder, dict(zip(of_a_desk, slots, strict=False)))] if of_a_desk else []
    codes = [folder / f"{name}.png" for name in ("bleak", "bumble")[: 1 if sample else 2]]
    present(stack, "nfc", "--path", FIELD, "--name", "nfc")
    for code in codes:
        present(stack, "ble", "--transport", bluetooth.transport, "--engagement", "png", "--out", str(code), "--name", code.stem)
    deadline_s = time.monotonic() + READY_S
    presented = len(in_readers) + len(of_a_desk) + len(software) + 1 + len(codes)
    while len(discover()) < presented or not all(code.exists() for code in codes):
        if time.monotonic() > deadline_s:
            raise LinkError(f"after {READY_S:g} s there are only {', '.join(one.path.stem for one in discover())}")
        time.sleep(0.1)
    by = ("", f"bumble:{bluetooth.transport}")
    return [*given, *software, f"wallet=nfc:{FIELD}",
            *(f"wallet=qr:{code} + ble:{host}" for code, host in zip(codes, by, strict=False)),
            *(f"{kind}=program:{sys.executable} -m bench.own_office {kind}" for kind in OFFICES[: 1 if sample else 2])]


def desk(stack: ExitStack, folder: Path, slots: Mapping[str, tuple[str, int]]) -> str:
    """Control software and its cards, by the readers' names and ports; its PIXIT is written. What ``--dut`` is given."""
    for role, (reader, port) in slots.items():
        present(stack, "vpcd", "--what", role, "--port", str(port), "--reader", reader, "--name", f"desk-{role}")
    limit_s = time.monotonic() + READY_S
    while sum(one.path.stem.startswith("desk-") for one in discover()) < len(slots) and time.monotonic() < limit_s:
        time.sleep(0.1)
    kit, local, centre = (free_port() for _ in range(3))
    credentials = folder / "credentials"
    write_for_software(credentials, 1)
    at = [text for role, (reader, _) in slots.items() for text in (f"--{role}", f"pcsc:{reader}")]
    present(stack, "control-software", *at, "--kit-port", str(kit), "--local-port", str(local), "--data-centre",
            f"https://localhost:{centre}", "--credentials", str(credentials), "--uploads", str(folder))
    readers = "".join(f"{role}_reader = {json.dumps(reader)}\n" for role, (reader, _) in slots.items())
    (folder / PIXIT).write_text(f"""form = "pixit"
kind = "control-software"
[answers]
moniker = "http://127.0.0.1:{kit}"
channels = []
{readers}data_centre = "https://localhost:{centre}"
credentials = "{credentials}"
certificate = "none"
uploads = "{folder}"
answer_s = 60
person_s = 60
wait_s = 30
spare = true
""", encoding="utf-8")
    adapter = f"program:{sys.executable} -m bench.calls_program https://127.0.0.1:{local}"
    return f"control-software=http://127.0.0.1:{kit} + https://127.0.0.1:{local} + {adapter}"


def free_port() -> int:
    with socket.socket() as there:
        there.bind(("127.0.0.1", 0))
        port: int = there.getsockname()[1]
        return port


def way(device: str) -> str:
    """By what it is reached: the medium that is opened first, or the bench's own Bluetooth host."""
    return "qr and bumble" if ":bumble:" in device else device.partition(":")[0]


def tries(stack: ExitStack, folder: Path, begin: str, sample: bool, attended: bool) -> Iterator[tuple[str, list[str]]]:
    """What ``conform`` is told, a process for each: of each reader, and of everything else at once; a reader has a name, of the
    others it follows from their monikers. ``begin``: of the names of what is tried; ``sample``: one reader; ``attended``: a
    program is at the readers. Raises LinkError."""
    if not begin.startswith("reader"):
        given = [one for one in places(stack, folder, sample) if name_of(*one.split("=", 1)).startswith(begin)]
        words = ["--no-hands", "-n", str(len(given)), "--pixit", str(folder / PIXIT)]
        if not any(one.startswith("control-software") for one in given):
            words = words[:3]
        if given:
            yield "", [*words, *(f"--dut={one}" for one in given)]
    yield from readers(stack, folder, begin, 1 if sample else None, attended)


def name_of(kind: str, device: str) -> str:
    return f"{kind} by {way(device)}"


def measure(only: Sequence[str] = (), begin: str = "", attended: bool = False) -> list[Figure]:
    """How long it takes, and what the devices got; what neither passed nor was ruled out is told on standard error. Raises
    LinkError; UsageError when no name begins so."""
    counts: Counter[tuple[str, str, str]] = Counter()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ["XDG_RUNTIME_DIR"] = str(folder)
        every = [*BENCH, "conform", "--destructive", *(f"--only={one}" for one in only)]
        there = enumerate(tries(stack, folder, begin, bool(only), attended))
        asked = [(name, folder / f"out-{number}", words) for number, (name, words) in there]
        if not asked:
            raise UsageError(f"--of {begin!r} begins no device's name: give a kind and by what, as in 'reader by bumble'")
        began_s = time.monotonic()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        running = {name: subprocess.Popen([*every, *words, "--out", str(out)], **quiet) for name, out, words in asked}
        for process in running.values():
            stack.callback(process.kill)
        took_s = ended(running, began_s)
        for name, out, _ in asked:
            for one in json.loads((out / "report.json").read_text(encoding="utf-8"))["verdicts"]:
                by = name or name_of(one["kind"], one["device"])
                counts[by, one["channel"], one["verdict"]] += 1
                if one["verdict"] not in ("pass", "not-applicable"):
                    sys.stderr.write(f"{by}: {one['verdict']} {one['case']}: {one['why']}\n")
    last_s = max(took_s.values())
    figures = [Figure("all devices, side by side", last_s, "s", "the aim", last_s / AIM_S)]
    figures += [Figure(f"{name or 'all but readers'}, beside the rest", one_s, "s") for name, one_s in took_s.items()]
    return figures + [Figure(f"{name} over {channel}: {verdict}", float(number), "cases")
                      for (name, channel, verdict), number in sorted(counts.items())]


def ended(running: Mapping[str, subprocess.Popen[bytes]], began_s: float) -> dict[str, float]:
    """When each of them was over, in seconds. Raises LinkError for those that are not by :data:`LIMIT_S`."""
    took_s: dict[str, float] = {}
    while len(took_s) < len(running):
        for name, process in running.items():
            if name not in took_s and process.poll() is not None:
                took_s[name] = time.monotonic() - began_s
        if time.monotonic() > began_s + LIMIT_S:
            raise LinkError(f"not over within {LIMIT_S:g} s: {', '.join(running.keys() - took_s.keys()) or 'all but readers'}")
        time.sleep(0.1)
    return took_s


def main() -> int:
    """``./bench.sh bench conform_real [--json] [--sample] [--of "reader by bumble"] [--attended]``. Exit code 3, and why, without
    pcscd, nfcpy or bleak."""
    parser = options(__doc__)
    parser.add_argument("--of", default="", metavar="NAME", help="only devices whose name in the table begins so")
    parser.add_argument("--attended", action="store_true", help="a program is at the readers: they do not only register")
    asked = parser.parse_args()
    try:
        figures = measure(SAMPLE if asked.sample else (), asked.of, asked.attended)
    except UsageError as e:
        parser.error(str(e))
    except (LinkError, ImportError) as e:
        sys.stderr.write(f"conform_real: not measured: {e}. './bench.sh setup test' installs what it needs\n")
        return 3
    show(figures, asked.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
