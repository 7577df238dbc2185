"""The command ``capture``: a run's exchanges as a pcapng file that Wireshark opens."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

import click

from bench import files
from virtual_devices.errors import UsageError
from virtual_devices.trace import ExchangeRow, FrameRow

T = TypeVar("T")
Noted = tuple[int, ExchangeRow, Sequence[FrameRow]]
"""Number of a row, the row, and the frames that were recorded of it."""
Names = Mapping[int, tuple[str, str, str]]
CAPTURE, FRAMES, REPORT = "capture.pcapng", "capture.csv", "report.json"
SAYS = (
    "Made from the rows of a run by vhc-bench. Of frames on the interfaces 'nfc frames' and 'ble frames' the comment says "
    "whether they were recorded or are reconstructed."
)
MASKED = " Personal data is masked by asterisks."


@click.command()
@click.argument("run_directory", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="[default: RUN/capture.pcapng]")
@click.option("--replication", type=click.IntRange(0), default=0, show_default=True, help="Which of the run's replications.")
@click.option("--visit", default="", help="Only this visit.")
@click.option("--no-frames", is_flag=True, help="Without the frames below the messages (ISO-DEP blocks, ATT packets).")
@click.option("--keep-personal-data", is_flag=True, help="Mask nothing but PINs. Data of real people stays out of a run anyway.")
def command(
    run_directory: Path, out: Path | None, replication: int, visit: str, no_frames: bool, keep_personal_data: bool,
) -> None:
    """Make a capture of RUN's exchanges over every medium, for Wireshark. RUN: a run, or what 'conform --out' left.

    \b
    Examples:
      vhc-bench capture runs/clinic_morning-1-1
      tshark -r runs/clinic_morning-1-1/capture.pcapng -Y 'iso7816.apdu.ins == 0xa4'
      tshark -r runs/clinic_morning-1-1/capture.pcapng -Y 'frame.comment contains "row 17:"'
      vhc-bench capture certified                    of a conformance report; --visit CASE for one case's

    Beside FILE stands a table (.csv) of the first and the last frame of each row of tables/exchanges.parquet, rows counted from
    0; of a conformance report, with the case, the device and the channel of each exchange. The same run gives the same bytes.
    What is masked, and which frames are reconstructed: docs/reference/capture.md.
    """
    target = out or run_directory / CAPTURE
    packets, rows = capture(
        run_directory, target, replication=replication, visit=visit, frames=not no_frames, keep=keep_personal_data,
    )
    click.echo(f"{target}: {packets:,} packets of {rows:,} exchanges")


def capture(
    run_directory: Path, target: Path, *, replication: int = 0, visit: str = "", frames: bool = True, keep: bool = False,
) -> tuple[int, int]:
    """Write the capture and, beside it, the table of frames. Returns how many packets of how many rows. Raises UsageError."""
    from bench.capturing.packets import INTERFACES, Capturing, in_time
    from bench.capturing.pcapng import write

    capturing = Capturing(keep=keep, frames=frames)
    names, rows = _tried(run_directory, visit) if (run_directory / REPORT).is_file() else ({}, None)
    if rows is None:
        noted = recorded(run_directory, replication) if frames else {}
        rows = ((number, row, noted.get((row.session, row.role, row.at_ns), ()))
                for number, row in exchanges(run_directory, replication, visit))
    framed = [capturing.of(number, row, found if frames else ()) for number, row, found in rows]
    if not framed:
        raise UsageError(f"{run_directory}: no exchange of replication {replication}" + (f" in visit {visit}" if visit else ""))
    packets = in_time(framed)
    out = io.BytesIO()
    write(out, INTERFACES, (packet for _, packet in packets), SAYS if keep else SAYS + MASKED)
    spans: dict[int, tuple[int, int]] = {}
    for frame, (row, _) in enumerate(packets, 1):
        spans[row] = (spans.get(row, (frame, frame))[0], frame)
    files.write(target, out.getvalue())
    files.write(target.with_suffix(".csv"), _table(spans, names))
    return len(packets), len(framed)


def exchanges(run_directory: Path, replication: int, visit: str = "") -> Iterator[tuple[int, ExchangeRow]]:
    """Rows of a run that has ended, with their number in the table. Raises UsageError."""
    path = run_directory / "tables" / "exchanges.parquet"
    if not path.is_file():
        hint = f"'vhc-bench report {run_directory}' recovers a killed run"
        raise UsageError(f"{path} is missing: {run_directory} is no run that has ended ({hint})")
    for number, row in enumerate(_rows(path, ExchangeRow)):
        if row.replication == replication and visit in ("", row.visit):
            yield number, row


def recorded(run_directory: Path, replication: int) -> dict[tuple[str, str, int], list[FrameRow]]:
    """Session, role and moment of an exchange -> its frames, in order of time; empty where none were recorded. Raises
    UsageError."""
    path = run_directory / "tables" / "frames.parquet"
    found: dict[tuple[str, str, int], list[FrameRow]] = {}
    for row in _rows(path, FrameRow) if path.is_file() else ():  # runs of before have no such table
        if row.replication == replication:
            found.setdefault((row.session, row.role, row.exchange_ns), []).append(row)
    return {key: sorted(frames, key=lambda frame: frame.after_ns) for key, frames in found.items()}


def _tried(folder: Path, case: str) -> tuple[Names, Iterable[Noted]]:
    """Case, device and channel of each exchange of a conformance report, and the exchanges; of one case where it is named. Raises
    UsageError."""
    from bench.capturing.conformed import conformed
    from bench.exchanges import lines

    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        found = [each for each in enumerate(conformed(report["made"]["at"], lines(folder))) if case in ("", each[1].case)]
    except (OSError, ValueError, LookupError, TypeError) as e:
        raise UsageError(f"{folder}: it is no conformance report with its exchanges: {type(e).__name__}: {e}") from e
    if not found:
        of = f" of {case}" if case else ""
        raise UsageError(f"{folder}: no exchange{of} is kept; 'vhc-bench conform --keep all --out DIR' keeps those, too, of what "
                         "passed on the bench's own devices")
    return ({number: (one.case, one.device, one.channel) for number, one in found},
            [(number, one.row, one.frames) for number, one in found])


def _rows(path: Path, kind: type[T]) -> Iterator[T]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    try:
        for batch in pq.ParquetFile(path).iter_batches(columns=names):
            for values in zip(*(batch.column(name).to_pylist() for name in names), strict=True):
                yield kind(*values)
    except (OSError, pa.ArrowException, KeyError) as e:
        raise UsageError(f"{path} cannot be read: {e}") from e


def _table(spans: Mapping[int, tuple[int, int]], names: Names) -> bytes:
    """``names``: of a row, where rows are a conformance report's."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("row", "first_frame", "last_frame", *(("case", "device", "channel") if names else ())))
    writer.writerows((row, *span, *names.get(row, ())) for row, span in sorted(spans.items()))
    return out.getvalue().encode()


__all__ = ["capture", "command", "exchanges"]
