"""The command ``present qr``: codes of a phone of the bench, for somebody else's scanner."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from bench.exits import PASS
from bench.files import write
from virtual_devices.errors import UsageError

NOBODY_ANSWERS = (
    "nothing answers behind this code: it offers BLE, and no radio of the bench is on the air. A reader reads it, looks for a "
    "phone, finds none and has to give up. 'vhc-bench present ble' shows one behind which a phone answers."
)
CLEAR, WHITE_ON_BLACK, RESET = "\x1b[H\x1b[2J", "\x1b[97;40m", "\x1b[0m"


@click.command()
@click.option("--kind", type=click.Choice(["card", "engagement", "prescription", "token"]), default="card", show_default=True,
              help="card: signed, good for a minute; engagement: the code that begins a presentation, and nothing behind it: no "
                   "phone answers over BLE; prescription: in several codes; token: the deployed card's kind.")
@click.option("--format", "form", type=click.Choice(["terminal", "text", "png"]), default="terminal", show_default=True,
              help="Half blocks, the code's text, or a picture.")
@click.option("--once", is_flag=True, help="Show it once and end; otherwise it is renewed until Ctrl-C.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE|DIR",
              help="Where pictures go. FILE: the newest code is in it; of several with --once FILE-1, FILE-2, ... A directory: "
                   "code after code as a file of its own, as a camera would do it.")
@click.option("--challenge", default="", metavar="TEXT",
              help="Text of a reader's own code (VHR1:...): the card's code is for it alone.")
@click.option("--trust", type=click.Path(path_type=Path), metavar="FILE", help="Write the certificates to trust there, in PEM.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Whose card: another seed, another holder.")
def command(kind: str, form: str, once: bool, out: Path | None, challenge: str, trust: Path | None, seed: int) -> None:
    """Show a QR code of the virtual card.

    \b
    Examples:
      vhc-bench present qr
      vhc-bench present qr --once --format text
      vhc-bench present qr --kind prescription --once --format png --out rx.png
      mkdir camera; vhc-bench present qr --format png --out camera

    The holder is invented and agrees to everything. A card's code needs a terminal of 97 columns and 50 lines.
    """
    sys.exit(show(kind, form, once=once, out=out, challenge=challenge, trust=trust, seed=seed))


def show(
    kind: str, form: str, *, once: bool, out: Path | None, challenge: str, trust: Path | None, seed: int,
    clock: Callable[[], int] = time.time_ns, wait: Callable[[float], None] = time.sleep,
) -> int:
    """Show until Ctrl-C, or once. Returns the exit code. Raises UsageError."""
    if (form == "png") != (out is not None):
        raise UsageError("pictures go to a file: --format png --out FILE.png, both or neither")
    from bench.presenters.qr import QrPresenter, Texts

    texts, period_s = _source(kind, challenge, trust, seed, clock())
    put = shown_as(form, out)
    if kind == "engagement":
        put = partial(_say_too, NOBODY_ANSWERS, put)
    if once:
        put(texts(clock()))
        return PASS
    together = form == "text"  # another program takes all the lines; a camera sees one code at a time
    source: Texts = (lambda now_ns: ["\n".join(texts(now_ns))]) if together else texts
    presenter = QrPresenter(source, period_s, lambda text: put([text]), clock=_Given(clock), wait=wait)
    with suppress(KeyboardInterrupt):
        presenter.run()
    return PASS


@dataclass(frozen=True, slots=True)
class _Given:
    """A clock made of the function that was handed in."""

    now_ns: Callable[[], int]


def shown_as(form: str, out: Path | None) -> Callable[[list[str]], None]:
    """How texts are put on the screen, or into a picture."""
    return {"text": _print_text, "terminal": _print_blocks}[form] if out is None else _saver(out)


def _source(
    kind: str, challenge: str, trust: Path | None, seed: int, now_ns: int,
) -> tuple[Callable[[int], list[str]], float]:
    """What gives the texts of a moment, and how long they stay on the screen."""
    from bench.sample_phone import SamplePhone
    from virtual_devices.qr.card import PERIOD_S
    from virtual_devices.qr.challenge import read_challenge
    from virtual_devices.qr.text import MalformedCode
    from virtual_devices.qr.token import LIFETIME_S

    if challenge and kind != "card":
        raise UsageError(f"a {kind}'s code answers no challenge: --challenge goes with --kind card")
    try:
        asked = read_challenge(challenge) if challenge else None
    except MalformedCode as e:
        raise UsageError(f"--challenge is not what a reader's code says (VHR1:...): {e.what}; give it whole") from e
    sample = SamplePhone(seed, now_ns)
    if trust is not None:
        write(trust, sample.trust())
    periods = {"card": PERIOD_S, "token": LIFETIME_S}
    source: Callable[[int], list[str]] = getattr(sample, kind)
    return (partial(sample.card, challenge=asked) if kind == "card" else source), periods.get(kind, 3600.0)


def _say_too(what: str, put: Callable[[list[str]], None], texts: list[str]) -> None:
    """Beside the code, and after it: a terminal is cleared for the code."""
    put(texts)
    click.echo(f"vhc-bench: {what}", err=True)


def _print_text(texts: list[str]) -> None:
    sys.stdout.write("".join(f"{text}\n" for text in texts))
    sys.stdout.flush()


def _print_blocks(texts: list[str]) -> None:
    from conformance.vectors.pictures import terminal

    shown = "\n".join(terminal(text) for text in texts)
    if sys.stdout.isatty():  # light on dark whatever the terminal's own colours are: the other way round few scanners read it
        shown = CLEAR + "".join(f"{WHITE_ON_BLACK}{line}{RESET}\n" for line in shown.splitlines())
    sys.stdout.write(shown)
    sys.stdout.flush()


def _saver(out: Path) -> Callable[[list[str]], None]:
    from bench.presenters.qr import Folder

    if not out.is_dir():
        return partial(_save, out)
    folder = Folder(out)

    def save(texts: list[str]) -> None:
        for text in texts:
            folder.put(text)

    return save


def _save(out: Path, texts: list[str]) -> None:
    from conformance.vectors.pictures import png

    names = [out] if len(texts) == 1 else [out.with_stem(f"{out.stem}-{n}") for n in range(1, len(texts) + 1)]
    for name, text in zip(names, texts, strict=True):
        write(name, png(text))
        sys.stdout.write(f"{name}\n")
    sys.stdout.flush()
