"""The command line: ``vhc-bench``."""

from __future__ import annotations

import json
import signal
import sys
from collections import UserDict
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console

from bench.exits import CONFIGURATION, ENVIRONMENT, INTERRUPTED, USAGE
from bench.interrupt import CtrlC
from bench.language import option
from bench.libraries import PACKAGES, not_installed
from bench.tables import print_table
from scenarios.listing import ScenarioFaults
from virtual_devices.errors import BenchError, LinkError, UsageError

LARGEST_SEED = 2**63 - 1  # as a scenario file's run.seed: it is kept in 64 bits
out = Console(soft_wrap=True, emoji=False)  # a moniker such as usb:1234:5678 is no emoji
err = Console(stderr=True, soft_wrap=True, emoji=False)


OWN_MODULES = (
    "requirements",
    "capture",
    "calibrate",
    "conform",
    "pics",
    "verify",
    "compare",
    "vectors",
    "audit",
    "fhir",
    "sign",
)
"""Commands that are a module of their own, in the order in which help shows them."""


class Shelf(UserDict[str, Any]):
    """Commands by name. One that has a module of its own stands here as its module's name, which has it as ``command``, until
    somebody asks for it: the others need not wait for what it imports."""

    def __getitem__(self, name: str) -> Any:
        found = super().__getitem__(name)
        if isinstance(found, str):
            found = self.data[name] = import_module(found).command
        return found


class Commands(click.Group):
    """Commands in the order of a first visit; one that is not there is answered with the nearest. ``elsewhere``: name ->
    module, of those that have one of their own."""

    def __init__(self, *args: Any, elsewhere: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._elsewhere = tuple(elsewhere or ())
        self.commands = Shelf({**self.commands, **(elsewhere or {})})

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*(name for name in self.commands if name not in self._elsewhere), *self._elsewhere]

    def invoke(self, ctx: click.Context) -> object:
        if ctx.parent is not None or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a background job is left alone
            return self._invoke(ctx)
        with CtrlC() as ctrl_c:
            try:
                return self._invoke(ctx)
            except Exception:
                if ctrl_c.asked:  # what a library made of an interrupt while it was being loaded
                    sys.exit(INTERRUPTED)
                raise

    def _invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            err.print("interrupted")
            sys.exit(INTERRUPTED)
        except ScenarioFaults as e:
            _fail(str(e), CONFIGURATION)
        except LinkError as e:
            _fail(str(e), ENVIRONMENT)
        except UsageError as e:
            _fail(str(e), USAGE)
        except BenchError as e:
            _fail(str(e), ENVIRONMENT)
        except ModuleNotFoundError as e:
            module = (e.name or "").partition(".")[0]
            if module not in PACKAGES:
                raise
            _fail(not_installed(module), ENVIRONMENT)


def _fail(text: str, code: int) -> NoReturn:
    err.print(text, style="red", markup=False, highlight=False)
    sys.exit(code)


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    elsewhere={name: f"bench.{name}" for name in OWN_MODULES},
)
@click.version_option(package_name="vhc-bench")
def main() -> None:
    """A test bench for Taiwan's virtual health insurance card (虛擬健保卡).

    \b
    A planner begins with
      vhc-bench run scenarios/clinic_morning.toml      play a clinic's morning, write a report
      vhc-bench scenarios                              what can be played
    A vendor of a reader, card, app or clinic software with
      vhc-bench conform --only wallet.session          the conformance suite on the bench's own phone, some seconds
      vhc-bench devices                                what is attached to this computer, as 'conform --dut' takes it
      vhc-bench present vpcd                           show our reference card to this computer's PC/SC service

    \b
    Exit codes: 0 pass, 1 a device does not conform, a conservation law or a promise is broken, 2 usage, 3 environment,
    4 scenario or configuration, 5 nothing ran, 6 inconclusive, 7 an expected failure passed, 130 interrupted.
    """


LANG = option("the report and of the summary. Never taken from the environment: the same run gives the same report")


@main.command()
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option("--seed", type=click.IntRange(0, LARGEST_SEED), help="Root of all random streams; the file's own when left out.")
@click.option("--replications", "-n", type=click.IntRange(1, 10_000), help="How often the scenario is played.")
@click.option("--out", "directory", type=click.Path(path_type=Path), help="Run directory to make.  [default: runs/NAME-SEED-N]")
@click.option("--card", default="virtual", show_default=True, metavar="MONIKER",
              help="Where patients' cards are put: virtual, auto, pcsc:NAME (with * and ?), nfc:..., replay:RUN.")
@click.option("--wallet", default="virtual", show_default=True, metavar="MONIKER",
              help='The phone: virtual, auto, nfc:own, nfc:..., pcsc:NAME, "qr:PATH + ble:NAME", "nfc:PATH + ble:NAME", '
                   "replay:RUN.")
@click.option("--sam", default="virtual", show_default=True, metavar="MONIKER",
              help="The security module of the desks: virtual, pcsc:NAME, replay:RUN.")
@click.option("--hpc", default="virtual", show_default=True, metavar="MONIKER",
              help="The professional's card: virtual, pcsc:NAME, replay:RUN.")
@click.option("--cloud", default="virtual", show_default=True, metavar="MONIKER",
              help="The data centre: virtual, or replay:RUN; a scenario's time is not a service's.")
@click.option("--lab", "laboratory", type=click.Path(path_type=Path), metavar="FILE",
              help="A laboratory file: its devices' names can then be given for monikers.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE",
              help="Replace a value of the scenario, such as params.stations.consultation.staff=3. Can be given again.")
@click.option("--frames", is_flag=True, help="Record the frames below the messages, too, of NFC and Bluetooth; for 'capture'.")
@LANG
@click.option("--quiet", "-q", is_flag=True, help="Print the path of the report only.")
def run(
    scenario: Path, seed: int | None, replications: int | None, directory: Path | None, card: str, wallet: str, sam: str,
    hpc: str, cloud: str, laboratory: Path | None, overrides: tuple[str, ...], frames: bool, language: str, quiet: bool,
) -> None:
    """Play SCENARIO, a TOML file, and write its run directory with report.html.

    \b
    Examples:
      vhc-bench run scenarios/clinic_morning.toml
      vhc-bench run scenarios/clinic_morning.toml --seed 7 -n 20 --set params.stations.consultation.staff=3
      vhc-bench run scenarios/clinic_morning.toml -n 1 --card "pcsc:ACS*"
      vhc-bench run scenarios/clinic_morning.toml -n 1 --wallet auto
      vhc-bench run scenarios/clinic_morning.toml --card replay:runs/clinic_morning-1-001
      vhc-bench run scenarios/clinic_morning.toml --lang zh-TW

    The same scenario and seed give the same rows and the same report, byte for byte, with virtual devices. With a real one, or
    auto, today's date is played, whether a reader is there or not.
    Auto is whatever is attached, as it comes and goes: a card in a reader, a phone at an NFC device (a latency probe).
    Ctrl-C ends the run; what was played is kept and reported. Nothing real is used unless a role's option says so.
    """
    from bench import running

    monikers = {"card": card, "wallet": wallet, "sam": sam, "hpc": hpc, "cloud": cloud}
    sys.exit(
        running.command(
            scenario, seed, replications, directory, monikers, overrides, laboratory=laboratory, language=language,
            frames=frames, quiet=quiet,
        )
    )


@main.command()
@click.option("--watch", is_flag=True, help="Go on, and print what appears and vanishes, until Ctrl-C.")
@click.option("--lab", "laboratory", type=click.Path(path_type=Path), metavar="FILE",
              help="Say which devices of this laboratory file are there.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def devices(watch: bool, laboratory: Path | None, as_json: bool) -> None:
    """List what is attached to this computer: PC/SC readers, NFC and Bluetooth devices, and the bench's own presenters.

    The first column is the moniker, which other commands take: 'run --card MONIKER', 'conform --dut KIND=MONIKER',
    'calibrate --wallet MONIKER'. A medium that is missing is told with its remedy, and the others are listed all the same.

    \b
    Examples:
      vhc-bench devices
      vhc-bench devices --watch                 put a card in, take it out: each is a line
      vhc-bench devices --lab laboratory.toml   are our laboratory's devices all there?

    Exit codes: 0, 3 when nothing was found and a medium is missing, or a device of the laboratory is not there.
    """
    from bench import looking

    if laboratory is not None:
        sys.exit(looking.laboratory(laboratory, as_json))
    sys.exit(looking.watch(as_json) if watch else looking.listing(as_json))


@main.group(cls=Commands, elsewhere={
    "vpcd": "bench.present_vpcd", "qr": "bench.present_qr", "control-software": "bench.present_control_software",
    "http": "bench.present_http", "nfc": "bench.present_nfc", "ble": "bench.present_ble", "line": "bench.present_line",
})
def present() -> None:
    """Put a reference device of ours in front of yours: a card before your reader, a code before your camera, a data centre.

    \b
    What you have, and what to begin with:
      software that reads cards by PC/SC       vhc-bench present vpcd
      an NFC reader, or a program with nfcpy   vhc-bench present nfc
      a reader over Bluetooth LE               vhc-bench present ble
      a camera or a scanner                    vhc-bench present qr
      a clinic's or pharmacy's software        vhc-bench present control-software
      a client of the data centre              vhc-bench present http
      any of the last two, on a bad line       vhc-bench present line

    Nothing is judged here: whatever your device does is answered as the profile has it. 'conform' gives a verdict. Everybody and
    everything in the devices is invented; your reader has to trust the authority that --trust writes out.
    """


@main.group("map", cls=Commands, elsewhere={
    "qr": "bench.maps.map_qr", "camera": "bench.maps.map_camera", "ble": "bench.maps.map_ble",
    "bluetooth": "bench.maps.map_bluetooth", "nfc": "bench.maps.map_nfc", "field": "bench.maps.map_field",
})
def weaknesses() -> None:
    """Map a medium's own weaknesses: where it works and where not, as tables, pictures, and input of a scenario's models."""


@main.command()
@click.argument("run_directory", metavar="RUN", type=click.Path(path_type=Path))
@LANG
def report(run_directory: Path, language: str) -> None:
    """Make report.html of a run directory, or of what 'conform --out' left, again. A run that was killed is recovered first, and
    says so."""
    from bench import conform_report, running

    if (run_directory / conform_report.REPORT).is_file():
        click.echo(conform_report.page_again(run_directory, language))
        return
    sys.exit(running.report(run_directory, language))


@main.command()
@click.option("--schema", metavar="SITUATION",
              help="Print the JSON schema of that situation's files, for editors; 'laboratory', 'profile': of those files.")
@click.argument("check", required=False, type=click.Path(path_type=Path))
def scenarios(schema: str | None, check: Path | None) -> None:
    """List the situations and scenario files that come with the bench, or check one file."""
    import scenarios as package
    from bench import laboratory
    from scenarios import files, profiles

    if schema:
        other = {"laboratory": laboratory.schema, "profile": profiles.schema}.get(schema)
        made = other() if other is not None else files.schema(schema)
        click.echo(json.dumps(made, ensure_ascii=False, indent=2))
        return
    if check:
        files.load(check)
        out.print(f"{check}: nothing wrong", markup=False)
        return
    there = {path: files.load(path) for path in sorted(Path(package.__path__[0]).glob("*.toml"))}
    print_table(
        ("file", "situation", "what it plays"),
        [(f"scenarios/{path.name}", s.situation, s.description or s.title) for path, s in there.items()],
    )


if __name__ == "__main__":
    main()
