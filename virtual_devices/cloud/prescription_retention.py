"""The end of retention: what is over its time is deleted, and what is left proves that it was.

    statement = {1: 1, 2: id of the prescription, 3: class, 4: [+ [record's id, kind, SHA-256 of it as it was signed]],
                 5: years kept, 6: tdate of the deletion}

signed by the data centre (COSE_Sign1). It holds no holder, no drug, no professional: whoever kept a signed record can show by its
hash that this record is meant, and nobody can make it again from the hash. A deleted record that is sent once more is refused.

3 years, 5 of controlled drugs, from the last thing that happened (Pharmacists Act, articles 16 to 18; that the data centre keeps
as long as a pharmacy must is inferred). The form is the bench's profile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from virtual_devices.cloud.books import Books
from virtual_devices.cloud.prescription_rows import FOLDERS, GONE, RECORDS, Folder, GoneRow
from virtual_devices.mdoc.tagged import dumps, tdate
from virtual_devices.prescription.document import PrescriptionClass
from virtual_devices.prescription.rules import KEPT_YEARS, KEPT_YEARS_CONTROLLED

VERSION = 1


@dataclass(frozen=True, slots=True)
class Deletion:
    """One prescription deleted. ``statement``: the data centre's signed word. ``card_no``: whose it was, for the log that is told
    of the deletion; it stays nowhere here."""

    root: bytes
    records: tuple[GoneRow, ...]
    statement: bytes
    card_no: str


def delete_due(books: Books, now_ns: int, sign: Callable[[bytes], bytes]) -> list[Deletion]:
    """Everything whose time of retention is over. ``sign``: the statement's content to the signed statement; in a drawn world
    it may give ``b""``."""
    due = books.shelf(FOLDERS).upto("keep_until_ns", now_ns)
    return [_delete(books, folder, now_ns, sign) for folder in due]


def _delete(books: Books, folder: Folder, now_ns: int, sign: Callable[[bytes], bytes]) -> Deletion:
    records, gone = books.shelf(RECORDS), books.shelf(GONE)
    with books.transaction():
        kept = [row.kept().filed for row in sorted(records.where(root=folder.root), key=lambda row: row.position)]
        years = KEPT_YEARS_CONTROLLED if PrescriptionClass(folder.letter).controlled else KEPT_YEARS
        listed = [[filed.record.id, filed.record.kind.value, filed.digest] for filed in kept]
        statement = sign(dumps({1: VERSION, 2: folder.root, 3: folder.letter, 4: listed, 5: years, 6: tdate(now_ns)}))
        rows = tuple(
            GoneRow(f.record.id, folder.root, f.digest, f.record.kind.value, folder.letter, now_ns, statement) for f in kept
        )
        for row in rows:
            gone.put(row)
            records.remove(row.id)
        books.shelf(FOLDERS).remove(folder.root)
    return Deletion(folder.root, rows, statement, folder.card_no)


def proof_of(books: Books, record: bytes) -> GoneRow | None:
    """What is left of a deleted record, by its id."""
    return books.shelf(GONE).get(record)


__all__ = ["Deletion", "delete_due", "proof_of"]
