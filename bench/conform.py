"""The command ``conform``: the suite against a device, and the suite against itself."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bench.grouped import Grouped
from bench.language import option, refusing_in

GROUPS = {
    "What is tried": ("given", "channels", "only", "lab", "pics", "pixit", "latency", "destructive", "robot", "no_hands", "seed"),
    "What is left behind": ("out", "key", "laboratory", "expected_file", "keep", "personal", "frames"),
    "How it is told": ("language", "as_json", "processes"),
    "In place of trying": ("listing", "schema_of", "self_check", "remember"),
}


@click.command(cls=Grouped, groups=GROUPS)
@click.option("--dut", "given", multiple=True, metavar="KIND=MONIKER",
              help="Device under test: its kind, and the moniker by which it is reached ('vhc-bench devices' lists what is "
                   "attached; virtual: the bench's own). Can be given again.  [default: every kind's virtual one]")
@click.option("--channel", "channels", multiple=True, metavar="CHANNEL",
              help="Over this channel only: contact, nfc, ble, qr, ... Can be given again.  [default: all that the device has]")
@click.option("--pics", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="What the device can, as its maker declares ('vhc-bench pics new'): cases of what it cannot are not "
                   "applicable.")
@click.option("--pixit", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="How the device is reached and read ('vhc-bench pics new --pixit'): its moniker, in place of --dut, and what "
                   "some kinds need beside it.")
@click.option("--only", multiple=True, metavar="CASE",
              help="Cases whose id begins so, such as wallet.session ('--list' has them). Can be given again.")
@click.option("--destructive", is_flag=True,
              help="On a real device: also cases that change it, or spend a try of its PIN or keys. Never on a card in use.")
@click.option("--latency", default="", metavar="FILE",
              help="Also time presentations against the limits in this file (TOML, '--schema latency'); 'example': the "
                   "bench's own.")
@click.option("--hands", "robot", default="", metavar="PROGRAM",
              help="Does a person's steps (tap, remove, enter the PIN): called with step, seconds, case; 0 means done.  "
                   "[default: a person at the terminal]")
@click.option("--no-hands", is_flag=True, help="No person is there: cases that need one are not applicable.")
@click.option("--lab", type=click.Path(path_type=Path), metavar="FILE",
              help="A laboratory file (TOML): its devices' names can be given for monikers.")
@click.option("--keep-personal-data", "personal", is_flag=True,
              help="Keep the bytes of a real device's messages as evidence, which may be a real person's; else their lengths "
                   "alone.")
@click.option("--frames", is_flag=True,
              help="Of real devices over NFC and Bluetooth: the frames below the messages, too, for 'vhc-bench capture DIR'.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Write report.html (for people), report.json (for programs), junit.xml (for pipelines), verdicts.json (what "
                   "two runs have in common) and the exchanges there.")
@click.option("--keep", type=click.Choice(["needed", "all"]), default="needed", show_default=True,
              help="Whose exchanges --out keeps. needed: every case's of your device, and of the bench's own what did not pass: "
                   "what passed there comes again byte for byte from the seed. The report has the digest of every case's.")
@click.option("--sign", "key", type=click.Path(path_type=Path), metavar="FILE",
              help="The laboratory's private key (PEM, P-256 or Ed25519): report.json is signed with it, for 'vhc-bench verify'.")
@click.option("--laboratory", default="", metavar="NAME", help="Who tried it, for the report.")
@click.option("--expected", "expected_file", type=click.Path(path_type=Path), metavar="FILE",
              help="Failures that are known (TOML, rows [[expected]] with case and why): they do not decide. One that passes is "
                   "an error: exit 7.")
@option("what a person reads: here, in report.html and junit.xml, and of what one is asked to do")
@click.option("--processes", "-n", default=2, show_default=True, type=click.IntRange(1, 64),
              help="Virtual devices at a time; single cases, by their whole ids, are tried in one process.")
@click.option("--list", "listing", is_flag=True, help="List the cases (of --only): id, nature, clauses, what each shows.")
@click.option("--self-check", is_flag=True,
              help="Try the suite itself: one fault after the other in the bench's own devices, and which case finds it. It "
                   "takes minutes.")
@click.option("--remember", is_flag=True,
              help="With --self-check: keep which case found which fault in the source tree, to be looked at first next time.")
@click.option("--schema", "schema_of", type=click.Choice(["report", "latency"]),
              help="Print the JSON schema of report.json, or of --latency's file.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0),
              help="Of the virtual parts, and of the authority that your device trusts: that of 'present' with the same seed.")
@click.option("--json", "as_json", is_flag=True, help="The report, the list or the self-check as JSON on standard output.")
def command(
    given: tuple[str, ...], channels: tuple[str, ...], pics: tuple[Path, ...], pixit: tuple[Path, ...], only: tuple[str, ...],
    destructive: bool, latency: str, robot: str, no_hands: bool, lab: Path | None, personal: bool, frames: bool, out: Path | None,
    keep: str, key: Path | None, laboratory: str, expected_file: Path | None, language: str, processes: int, listing: bool,
    self_check: bool, remember: bool, schema_of: str | None, seed: int, as_json: bool,
) -> None:
    """Try a device against the clauses of the profile, case by case, and give a verdict.

    A device is a KIND and the moniker by which it is reached, as in wallet=nfc:usb. Kinds: wallet (the virtual card on a phone),
    reader, card (the patient's), sam (security module), hpc (a professional's card), control-software, clinic and pharmacy
    (their software), data-centre. Without --dut the bench's own devices are tried: with nothing attached, it runs.

    \b
    A first look, with the bench's own devices:
      vhc-bench conform --only wallet.session             the cases of one subject, a few seconds
      vhc-bench conform --list --only wallet.session      what each of them shows, and of which clause
      vhc-bench conform                                   every kind of device over every channel, minutes

    \b
    Your device on the desk:
      vhc-bench conform --dut wallet=nfc:usb              a phone held to an NFC reader
      vhc-bench conform --dut 'wallet=qr:camera + ble:'   a phone over Bluetooth, its code before a camera
      vhc-bench conform --dut 'card=pcsc:ACS*' --pics card.pics.toml        the card in a reader
      vhc-bench conform --dut reader=nfc:usb --pixit reader.pixit.toml      your reader: our card comes into its field
      vhc-bench conform --dut 'reader=qr:code.png + ble:usb:0' --pixit reader.pixit.toml       it scans our phone's code
      vhc-bench conform --dut reader=vpcd: --pixit reader.pixit.toml        reader software upon PC/SC: our card in its slot
      vhc-bench conform --dut data-centre=https://localhost:8443            a service, with client certificates
      vhc-bench conform --dut 'control-software=http://127.0.0.1:3033 + https://127.0.0.1:5066' --pixit software.pixit.toml
      vhc-bench conform --dut 'wallet=program:node w.cjs' a library, asked line by line (docs/reference/programs.md)
      vhc-bench conform --dut 'clinic=program:adapter'    an institution's software: an adapter does what its people do

    \b
    What you hand over:
      vhc-bench conform --dut wallet=nfc:usb --pics wallet.pics.toml --out certified --sign lab.pem
      vhc-bench verify certified                          what whoever gets it does
      vhc-bench conform ... --latency example             how long it takes against limits, too
      vhc-bench conform ... --expected known.toml --no-hands --out result   in a pipeline

    \b
    How well the suite finds faults:
      vhc-bench conform --self-check --only wallet --out checked

    What did not pass is told with the reason and the command that runs that case alone. The cases, kinds, channels and files:
    docs/reference/conformance.md; from nothing to a signed report: docs/tutorial/certify-your-reader.md.

    \b
    Verdicts: pass, fail, inconclusive (it did not come to its point), error (the bench's own, never the device's),
      not applicable, review (a person has to look).
    Exit codes: 0 pass, 1 fail, 2 wrong use, 3 error, 4 a declaration is out of order, 5 nothing ran,
      6 inconclusive or review only, 7 an expected failure passed.
    """
    from bench import conforming  # here: what knows every device and case takes long to load, and help needs none of it

    if schema_of:
        click.echo(conforming.schema_of(schema_of), nl=False)
        return
    with refusing_in(language):
        if listing:
            conforming.listed(only, as_json, language)
            return
        if self_check:
            sys.exit(conforming.checked(only, processes, as_json, out, language, remember))
        asked = conforming.Asked(given, channels, only, pics, pixit, destructive, latency, robot, no_hands, seed, laboratory,
                                 language, personal, lab, frames, keep)
        sys.exit(conforming.tried(asked, processes, as_json, out, key, expected_file))


__all__ = ["command"]
