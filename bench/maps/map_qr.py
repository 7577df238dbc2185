"""The command ``map qr``: where the virtual card's codes can be read, by each weakness of screens, hands and cameras."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.exits import LAW_BROKEN, PASS
from bench.files import write
from virtual_devices.errors import UsageError

if TYPE_CHECKING:
    from bench.maps.qr.trials import Misread, Tried

WEAKNESSES = ("blur", "dim", "tilt", "perspective", "glare", "moire", "cover", "coarse", "several")
KINDS = ("token", "engagement", "prescription", "card")
MADE_BY = ("numpy", "pillow", "segno")
SAMPLES_OF = "card"


@click.command()
@click.option("--out", "directory", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Where the map goes.")
@click.option("--trials", type=click.IntRange(1, 10_000), default=10, show_default=True, help="Pictures for each point.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True, help="Whose codes, which pictures.")
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="Only these codes. Can be given again.")
@click.option("--weakness", "weaknesses", type=click.Choice(WEAKNESSES), multiple=True, help="Only these. Can be given again.")
@click.option("--level", "levels", type=click.Choice(["L", "M", "Q", "H"]), multiple=True, default=("M",), show_default=True,
              help="Error correction. Can be given again; the card's codes have M.")
def command(
    directory: Path, trials: int, seed: int, kinds: tuple[str, ...], weaknesses: tuple[str, ...], levels: tuple[str, ...],
) -> None:
    """Map where QR codes can be read: codes of the virtual card are made, spoiled as screens, hands and cameras spoil them, and
    read by zxing-cpp as the driver qr:PATH does.

    \b
    Examples:
      vhc-bench map qr --out runs/qr-map
      vhc-bench map qr --out runs/blur --weakness blur --trials 100 --level M --level Q
      vhc-bench map camera runs/qr-map/qr-map.json --weakness blur --strength 0.5     for a scenario's camera

    DIR gets the table (qr-map.json after qr-map.schema.json, qr-map.csv), the map as a picture (qr-map-M.en.svg and zh-TW, PNG)
    and samples of every weakness (qr-samples.en.png). The same seed gives the same pictures; times are this machine's. A text
    that nobody showed (a misread) is the worst that a reader can do: it is shown, its picture kept, and the exit code is 1.
    When DIR is a run's directory, the run's report shows the map. Ten trials take about two minutes.
    """
    sys.exit(make(directory, trials, seed, kinds or KINDS, weaknesses or WEAKNESSES, tuple(dict.fromkeys(levels))))


def make(
    directory: Path, trials: int, seed: int, kinds: tuple[str, ...], weaknesses: tuple[str, ...], levels: tuple[str, ...],
) -> int:
    """Make the map. Returns the exit code. Raises UsageError, LinkError."""
    from bench.drivers.qr import need_libraries

    need_libraries()
    from bench.maps.qr import codes, figures, table
    from bench.maps.qr.trials import cells, tried
    from bench.maps.qr.weaknesses import BY_NAME

    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise UsageError(f"{directory} cannot be made: {e.strerror or e}") from e
    chosen = [codes.KINDS[name] for name in kinds], [codes.Level(level) for level in levels], [BY_NAME[n] for n in weaknesses]
    done = list(_shown(tried(*chosen, trials, seed), cells(*chosen)))
    made = table.Table(
        seed=seed, reader=f"zxing-cpp {version('zxing-cpp')}", versions={name: version(name) for name in MADE_BY},
        cells=tuple(map(table.cell, done)),
    )
    write(directory / "qr-map.schema.json", table.schema())
    write(directory / "qr-map.json", table.to_json(made))
    write(directory / "qr-map.csv", table.to_csv(made.cells))
    samples = [each for each in done if each.code.kind.name == (SAMPLES_OF if SAMPLES_OF in kinds else kinds[0])]
    samples = [each for each in samples if each.code.level is samples[0].code.level]
    pictures = {(each.weakness.name, each.strength): each.sample for each in samples}
    shares = {(each.weakness.name, each.strength): each.read / each.trials for each in samples}
    for language in figures.LANGUAGES:
        for suffix, content in figures.samples_figure(pictures, shares, samples[0].code.kind.name, language).items():
            write(directory / f"qr-samples.{language}{suffix}", content)
        for level in levels:
            for suffix, content in figures.map_figure(made, level, language).items():
                write(directory / f"qr-map-{level}.{language}{suffix}", content)
    misreads = [misread for each in done for misread in each.misreads]
    _tell(directory, sum(each.trials for each in done), misreads)
    return LAW_BROKEN if misreads else PASS


def _shown(done: Iterator[Tried], total: int) -> Iterator[Tried]:
    """With a bar on standard error, on a terminal only."""
    with click.progressbar(done, length=total, label="reading", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        yield from bar


def _tell(directory: Path, pictures: int, misreads: list[Misread]) -> None:
    for number, misread in enumerate(misreads, 1):
        path = directory / f"misread-{number}.png"
        misread.picture.save(path)
        click.echo(
            f"MISREAD: {misread.code.kind.name} {misread.code.version}-{misread.code.level.value}, {misread.weakness.name} "
            f"{misread.strength:g}, trial {misread.trial}: {misread.text[:80]!r} ({path})", err=True,
        )
    click.echo(f"{directory / 'qr-map.json'}: {pictures:,} pictures, {len(misreads)} misread")
