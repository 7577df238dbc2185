"""The command ``present vpcd``: our cards, or a phone, in front of every program that speaks PC/SC, for people to try."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.exits import PASS
from bench.files import write
from bench.interrupt import ending
from virtual_devices.errors import UsageError

if TYPE_CHECKING:
    from bench.presenters.vpcd import VpcdPresenter
    from bench.sample_devices import Samples

DESK = "desk"
OF_A_DESK = ("card", "sam", "hpc")
KINDS = ("card", "second-card", "second-card-contactless", "wallet", "sam", "hpc", DESK)
HOST, PORT, MOST = "127.0.0.1", 35963, 16


@click.command("vpcd")
@click.option("--host", default=HOST, show_default=True, help="Where the vpcd driver of the PC/SC service listens.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(1, 65535),
              help="35963 is its first slot; of several cards, each takes the port after the one before.")
@click.option("--cards", default=1, show_default=True, type=click.IntRange(1, MOST), help="How many, each in a slot of its own.")
@click.option("--what", type=click.Choice(KINDS), default=KINDS[0], show_default=True,
              help="The patient's card; the second-generation card, in the slot or in the field; a phone in the field; an "
                   "institution's security module; a physician's card; of a desk the first and the last two, each in a slot.")
@click.option("--profile", default="t1", show_default=True, help="Kind of card: t1, t1-nul, t0, y2025.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0),
              help="Whose card: another seed, another holder. Further cards take the numbers after it.")
@click.option("--empty", is_flag=True, help="Begin with empty slots; a run puts the cards in.")
@click.option("--private", is_flag=True,
              help="Start a PC/SC service for them alone, and print what a program needs in its environment to find it.")
@click.option("--trust", type=click.Path(path_type=Path), metavar="FILE", help="Write the certificates to trust there, in PEM.")
@click.option("--readers", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Write there with what a reader may ask a wallet: keys and certificates of a SAM and a physician, for 3 days.")
@click.option("--credentials", type=click.Path(path_type=Path), metavar="DIRECTORY",
              help="Write there with what the desk's software speaks to the data centre that 'conform' serves it, of that seed.")
@click.option("--reader", default="", help="Name under which PC/SC shows the slot, when it is not the driver's usual one.")
@click.option("--name", default="", help="Name of the control channel, vpcd-PORT when left out; of several, NAME-1, NAME-2, ...")
def command(
    host: str, port: int, cards: int, what: str, profile: str, seed: int, empty: bool, private: bool, trust: Path | None,
    readers: Path | None, credentials: Path | None, reader: str, name: str,
) -> None:
    """Present cards through Debian's virtual reader (package vsmartcard-vpcd) to every program that speaks PC/SC.

    \b
    Try it, with pcscd running:
      vhc-bench present vpcd &
      opensc-tool -s 00:A4:04:00:10:D1:58:00:00:01:00:00:00:00:00:00:00:00:00:11:00 -s 00:CA:11:00:02:00:00
    Sixteen cards, and a phone that a reader of yours may ask:
      vhc-bench present vpcd --cards 16 --private
      vhc-bench present vpcd --what wallet --trust trust.pem --readers readers
    All cards of a clinic's desk, for its control software:
      vhc-bench present vpcd --what desk --private --credentials credentials

    The holders are invented. While this runs, 'vhc-bench run ... --card auto' puts each patient's own card into the slot.
    """
    import time

    from bench.sample_devices import Samples

    if private and (host, port) != (HOST, PORT):
        raise UsageError("--private finds free ports of this computer: leave --host and --port away")
    if reader and (cards > 1 or private):
        raise UsageError("--reader names the reader of one slot of a service that runs already")
    if what == DESK and (cards > 1 or reader):
        raise UsageError("--what desk has three slots: leave --cards and --reader away")
    shown = [(Samples(kind, seed, time.time_ns(), profile), number)
             for kind in (OF_A_DESK if what == DESK else (what,)) for number in range(cards)]
    if port + len(shown) - 1 > 65535:
        raise UsageError(f"there are no {len(shown)} ports from {port} on")
    samples, _ = shown[-1]
    if trust is not None:
        write(trust, samples.trust())
    if readers is not None:
        samples.write_readers(readers)
    if credentials is not None:
        from bench.reach.connections import write_for_software

        try:
            write_for_software(credentials, seed)
        except OSError as e:
            raise UsageError(f"{credentials} cannot be written: {e.strerror or e}") from e
    sys.exit(show(shown, host, port, empty=empty, private=private, reader=reader, name=name))


def show(
    shown: Sequence[tuple[Samples, int]], host: str, port: int, *, empty: bool = False, private: bool = False, reader: str = "",
    name: str = "",
) -> int:
    """Present until Ctrl-C: of each of these one, by its number. Returns the exit code. Raises LinkError."""
    from bench.stacks.pcscd import PrivatePcscd

    cards = len(shown)
    with ExitStack() as stack:
        ports, readers = tuple(range(port, port + cards)), (reader,) * cards
        if private:
            service = stack.enter_context(PrivatePcscd(cards))
            ports, readers = service.ports, service.readers
            _say("\n".join(f"export {key}={value}" for key, value in service.env.items()))
        names = [f"{name}-{n + 1}" if name and cards > 1 else name for n in range(cards)]
        slots = [_slot(*one, host, ports[n], readers[n], names[n], empty=empty) for n, one in enumerate(shown)]
        _say("Ctrl-C ends it")
        run_all(slots)
    return PASS


def _slot(samples: Samples, number: int, host: str, port: int, reader: str, name: str, *, empty: bool) -> VpcdPresenter:
    from bench.presenters.control_server import ControlServer
    from bench.presenters.vpcd import VpcdPresenter
    from bench.sample_devices import CHIPS

    exhibit = None if empty else samples.exhibit(number)
    where = f", reader {reader!r}" if reader else ""
    _say(f"presenting {exhibit.text if exhibit else 'an empty slot'}, at {host}:{port}{where}")

    def unanswered() -> None:
        text = f"no vpcd driver answers at {host}:{port}: is pcscd running, with the package vsmartcard-vpcd? Still trying.\n"
        sys.stderr.write(text)
        sys.stderr.flush()

    presenter = VpcdPresenter(
        lambda: exhibit.device if exhibit else None, host, port, ControlServer(name or f"vpcd-{port}"),
        load=samples.load, reader=reader, unanswered=unanswered,
    )
    presenter.takes, presenter.others = samples.what, CHIPS
    return presenter


def run_all(slots: Sequence[VpcdPresenter]) -> None:
    """Each slot in a thread, until one ends or this process is told to. What ended one is raised here, once all have ended."""
    ended = threading.Event()
    failures: list[BaseException] = []

    def run(slot: VpcdPresenter) -> None:
        try:
            slot.run()
        except BaseException as e:  # it goes to who waits for the slots
            failures.append(e)
        finally:
            ended.set()

    threads = [threading.Thread(target=run, args=(slot,), name=f"slot {n}") for n, slot in enumerate(slots)]
    for thread in threads:
        thread.start()
    try:
        with ending(ended.set):
            ended.wait()
    finally:
        for slot, thread in zip(slots, threads, strict=True):
            if thread.is_alive():
                slot.stop()
            thread.join()
    if failures:
        raise failures[0]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


__all__ = ["command", "run_all", "show"]
