"""The commands ``audit export`` and ``audit verify``: the data centre's audit log, handed out and checked from outside."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import click

from bench.exits import LAW_BROKEN, PASS
from virtual_devices.clock import TAIWAN, to_datetime
from virtual_devices.cloud.audit import Entry, Head, Who, read_head
from virtual_devices.errors import PeerError, UsageError
from virtual_devices.pki import ChainVerifier


@click.group("audit")
def command() -> None:
    """The data centre's audit log: who read or changed what, in a history that can only be added to."""


@command.command("export")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--directory", default="runs/data-centre", show_default=True, type=click.Path(path_type=Path),
              help="Of the data centre, whose authority signs the head.")
@click.option("--database", metavar="URL", help="Where its books are kept; DIRECTORY/books.db when left out. No service may run.")
@click.option("--holder", metavar="CARD_NO", help="Only what touched this person's data, each with its proof.")
@click.option("--since", multiple=True, type=click.IntRange(0), metavar="SIZE",
              help="Also prove that the log continues an older head of that size.")
def export(out: Path, directory: Path, database: str | None, holder: str | None, since: tuple[int, ...]) -> None:
    """Write the log, or a holder's own part of it, with a signed head into the file OUT."""
    from bench.clock import WallClock
    from bench.datacentre import audit_files, credentials
    from bench.datacentre.database import open_books
    from virtual_devices.cloud.audit import audit_log
    from virtual_devices.cloud.issuer import CardIssuer

    now_ns = WallClock().now_ns()
    identity = CardIssuer(credentials.own_authority(directory), b"").data_centre
    books = open_books(database or directory / "books.db")
    log = audit_log(books, identity)
    try:
        with books.transaction(), out.open("w", encoding="utf-8") as file:
            if holder is not None:
                file.writelines(audit_files.export_about(log, identity, now_ns, holder))
            else:
                file.writelines(audit_files.export(log, identity, now_ns, since))
            sys.stdout.write(f"{log.size} entries; written: {out}\n")
    finally:
        books.close()


@command.command("verify")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--ca", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="Certificate (PEM) of the authority under which the data centre signs.")
@click.option("--service", metavar="URL", help="A running data centre: its head of now must continue every head in FILES.")
@click.option("--credentials", default="runs/data-centre/credentials", show_default=True, type=click.Path(path_type=Path),
              help="With --service: where ca.pem and the client's certificate and key are.")
@click.option("--as", "who", default="clinic", show_default=True, help="With --service: whose certificate: clinic, officer ...")
@click.option("--keep", type=click.Path(path_type=Path, dir_okay=False),
              help="With --service: write its head of now there, to be one of FILES next time.")
@click.option("--lang", type=click.Choice(["en", "zh-TW"]), default="en", show_default=True)
def verify(
    files: tuple[Path, ...], ca: Path | None, service: str | None, credentials: Path, who: str, keep: Path | None, lang: str,
) -> None:
    """Check exported FILES, oldest first: signatures, hashes, inclusion, consistency. Says what is proved and what is not.

    \b
    Examples:
      vhc-bench audit verify log.jsonl --ca runs/data-centre/credentials/ca.pem
      vhc-bench audit verify --service https://localhost:8443 --keep monday.jsonl
      vhc-bench audit verify monday.jsonl --service https://localhost:8443 --keep friday.jsonl

    Exit code 1 when an entry was changed, dropped or reordered, or the log was rolled back.
    """
    from bench.datacentre import audit_check, audit_files, audit_service

    if not files and service is None:
        raise UsageError("name exported files, or a running service with --service")
    evidence = audit_files.read(files)
    if service is not None:
        ca = ca or credentials / "ca.pem"
        now = audit_service.fetch(service, credentials, who, sorted({head.size for head in _sizes(evidence.heads)}))
        audit_files.take(evidence, now, service)
        if keep is not None:
            keep.write_text(f"{now[0]}\n", encoding="utf-8")
    found = audit_check.check(evidence, None if ca is None else _root(ca))
    words = {"en": ("WRONG", "proved", "not proved"), "zh-TW": ("有誤", "已證明", "未證明")}[lang]
    for word, lines in zip(words, (found.wrong, found.proved, found.open), strict=True):
        for line in lines:
            sys.stdout.write(f"{word}: {line[lang == 'zh-TW']}\n")
    sys.exit(LAW_BROKEN if found.wrong else PASS)


@command.command("show")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--lang", type=click.Choice(["en", "zh-TW"]), default="en", show_default=True)
def show(files: tuple[Path, ...], lang: str) -> None:
    """Print the entries of exported FILES, one a line: who read or changed what, when, under which authorization.

    \b
    Example, what touched one person's data:
      vhc-bench audit export mine.jsonl --holder 000000000001
      vhc-bench audit show mine.jsonl

    Whether they are true, 'audit verify' says.
    """
    from bench.datacentre import audit_files

    for entry in audit_files.read(files).entries:
        sys.stdout.write(f"{_shown(entry, lang)}\n")
    sys.exit(PASS)


WHO = {Who.INSTITUTION: ("institution", "機構"), Who.PHONE: ("phone", "手機"), Who.OFFICER: ("officer", "承辦人員")}


def _shown(entry: Entry, lang: str) -> str:
    """Number, time in Taiwan, who, what, the field's code; professional and authorization where there are any."""
    zh = lang == "zh-TW"
    institution, *rest = entry.actor.split("/")
    actor, professional = "/".join([institution, *rest[:1]]), "".join(rest[1:])
    at = to_datetime(entry.at_ns).astimezone(TAIWAN).isoformat(sep=" ", timespec="seconds")
    said = [str(entry.number), at, WHO[entry.who][zh], actor, entry.what, entry.code]
    if professional:
        said.append(f"{'醫事人員' if zh else 'professional'} {professional}")
    if entry.under:
        said.append(f"{'依據' if zh else 'under'} {entry.under.hex()}")
    return "  ".join(said)


def _sizes(heads: list[bytes]) -> list[Head]:
    """Heads that can be read; what is wrong with the others is found when all is checked."""
    found = []
    for raw in heads:
        with suppress(PeerError):
            found.append(read_head(raw, None))
    return found


def _root(ca: Path) -> ChainVerifier:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        certificate = x509.load_pem_x509_certificate(ca.read_bytes())
    except ValueError:
        raise UsageError(f"{ca}: no certificate in PEM") from None
    return ChainVerifier(certificate.public_bytes(Encoding.DER))


__all__ = ["command"]
