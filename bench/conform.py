"""The command ``conform``: the suite against a device, and the suite against itself."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.option("--dut", "given", multiple=True, metavar="KIND=MONIKER",
              help="Device under test, such as wallet=virtual. Can be given again; every reference device when left out.")
@click.option("--channel", "channels", multiple=True, metavar="CHANNEL", help="Over this channel only: nfc, ble, ...")
@click.option("--pics", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="What the device can, as its maker declares (vhc-bench pics): other cases are not applicable.")
@click.option("--pixit", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="How the device is reached, in place of --dut.")
@click.option("--only", multiple=True, metavar="CASE", help="Cases whose id begins so.")
@click.option("--destructive", is_flag=True,
              help="On a real device: also cases that change it, or spend a try of its PIN or keys.")
@click.option("--latency", default="", metavar="FILE",
              help="Also time presentations against the limits in this file (TOML), or in the bench's own: example.")
@click.option("--hands", "robot", default="", metavar="PROGRAM",
              help="Does a person's steps: called with step, seconds, case; 0 means done.  [default: a person at the terminal]")
@click.option("--no-hands", is_flag=True, help="No person is there: cases that need one are not applicable.")
@click.option("--lab", type=click.Path(path_type=Path), metavar="FILE",
              help="A laboratory file: its devices' names can then be given for monikers.")
@click.option("--keep-personal-data", "personal", is_flag=True, help="Keep the bytes of a real device's messages as evidence.")
@click.option("--frames", is_flag=True,
              help="Of real devices over NFC and Bluetooth: the frames below the messages, too, for 'vhc-bench capture DIR'.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Write report.html, report.json, verdicts.json, junit.xml and every exchange there.")
@click.option("--sign", "key", type=click.Path(path_type=Path), metavar="FILE",
              help="The laboratory's private key in PEM: report.json is signed with it (report.json.jws).")
@click.option("--laboratory", default="", metavar="NAME", help="Who tried it, for the report.")
@click.option("--expected", "expected_file", type=click.Path(path_type=Path), metavar="FILE",
              help="Failures that are known (TOML). One that passes is an error: exit 7.")
@click.option("--lang", type=click.Choice(["en", "zh-TW"]), default="en", show_default=True,
              help="Language of report.html, and of the headline of what a person is to do.")
@click.option("--processes", "-n", default=2, show_default=True, type=click.IntRange(1, 64),
              help="Virtual devices at a time; single cases, by their whole ids, are tried in one process.")
@click.option("--list", "listing", is_flag=True, help="Only list the cases.")
@click.option("--self-check", is_flag=True, help="Try the suite: one fault after the other in the reference devices.")
@click.option("--remember", is_flag=True,
              help="With --self-check: keep which case found which fault in the source tree, to be looked at first next time.")
@click.option("--schema", "schema_of", type=click.Choice(["report", "latency"]),
              help="Print the JSON schema of report.json, or of --latency's file.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Of the virtual parts.")
@click.option("--json", "as_json", is_flag=True, help="Results, list or self-check as JSON on standard output.")
def command(
    given: tuple[str, ...], channels: tuple[str, ...], pics: tuple[Path, ...], pixit: tuple[Path, ...], only: tuple[str, ...],
    destructive: bool, latency: str, robot: str, no_hands: bool, lab: Path | None, personal: bool, frames: bool, out: Path | None,
    key: Path | None, laboratory: str, expected_file: Path | None, lang: str, processes: int, listing: bool, self_check: bool,
    remember: bool, schema_of: str | None, seed: int, as_json: bool,
) -> None:
    """Try a device against the clauses of the profile, case by case, and give a verdict.

    \b
    Examples:
      vhc-bench conform                                   every reference device, over every channel
      vhc-bench conform --dut wallet=virtual --channel ble
      vhc-bench conform --only wallet.session             the cases of one subject
      vhc-bench conform --dut 'card=pcsc:ACS*' --pics card.pics.toml        the card in a reader on the desk
      vhc-bench conform --dut wallet=nfc:usb              a phone held to an NFC reader
      vhc-bench conform --dut 'wallet=qr:camera + ble:'   a phone over Bluetooth, its code before a camera
      vhc-bench conform --dut reader=nfc:usb --pixit reader.pixit.toml      your reader: our card comes into its field
      vhc-bench conform --dut 'reader=qr:code.png + ble:usb:0' --pixit reader.pixit.toml       it scans our phone's code
      vhc-bench conform --dut reader=vpcd: --pixit reader.pixit.toml        reader software upon PC/SC: our card in its slot
      vhc-bench conform --dut data-centre=https://localhost:8443            a service, with client certificates
      vhc-bench conform --dut 'control-software=http://127.0.0.1:3033 + https://127.0.0.1:5066' --pixit software.pixit.toml
      vhc-bench conform --dut 'wallet=program:node w.cjs' a library, asked line by line (docs/reference/programs.md)
      vhc-bench conform --dut 'clinic=program:adapter'    an institution's software: an adapter does what its people do
      vhc-bench conform --pics wallet.pics.toml           only what its maker declares
      vhc-bench conform --latency example                 its times against limits, too
      vhc-bench conform --only wallet.latency --latency my-limits.toml
      vhc-bench conform --out certified --sign lab.pem    a signed report; 'vhc-bench verify certified/report.json'
      vhc-bench conform --list                            what each case tries, and which clause it shows
      vhc-bench conform --self-check --json               how well the suite finds faults
      vhc-bench conform --self-check --only wallet --out checked    of one kind; who found what, as a page

    \b
    Verdicts: pass, fail, inconclusive, error (the bench's own), not applicable, review (a person has to look).
    Exit codes: 0 pass, 1 fail, 3 error, 5 nothing ran, 6 inconclusive or review only, 7 an expected failure passed.
    """
    from bench import conforming  # here: what knows every device and case takes long to load, and help needs none of it

    if listing:
        conforming.listed(only, as_json)
        return
    if schema_of:
        click.echo(conforming.schema_of(schema_of), nl=False)
        return
    if self_check:
        sys.exit(conforming.checked(only, processes, as_json, out, lang, remember))
    asked = conforming.Asked(given, channels, only, pics, pixit, destructive, latency, robot, no_hands, seed, laboratory, lang,
                             personal, lab, frames)
    sys.exit(conforming.tried(asked, processes, as_json, out, key, expected_file))


__all__ = ["command"]
