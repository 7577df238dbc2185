"""Takes the clauses' texts from the profile's pages into the package, and takes out of the list of clauses without a case what
has one by now.

    .venv/bin/python docs/reference/make_clauses.py

A test holds both to the pages and the cases.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from conformance.case import cases
from conformance.clause import NOT_YET, TEXTS

REFERENCE = Path(__file__).parent
PACKAGE = REFERENCE.parent.parent / "conformance" / "clauses"
PAGES = ("profile.md", *sorted(f"profile/{p.name}" for p in (REFERENCE / "profile").glob("*.md")), "protocol-profile.md")
_CLAUSE = re.compile(r"^\*\*(P-[A-Z]+-\d\d)\*\* \((standard|public|profile|inferred)(?:: ([^)]+))?\) ", re.MULTILINE)
_TEXTS_HEAD = "# Made by docs/reference/make_clauses.py from the profile's pages: change the pages, then make it again.\n"
_NOT_YET_HEAD = """\
# Clauses that a case is to show, and that no case tries yet, by kind of device. It may only become shorter:
# docs/reference/make_clauses.py takes out what has a case by now, and a test refuses a clause that is missing here.
"""


def texts() -> str:
    """The texts of all clauses, as TOML."""
    rows = [_TEXTS_HEAD]
    for page in PAGES:
        whole = (REFERENCE / page).read_text(encoding="utf-8")
        starts = list(_CLAUSE.finditer(whole))
        ends = [*(m.start() for m in starts), len(whole)][1:]
        for m, end in zip(starts, ends, strict=True):
            text = re.sub(r"<!--.*?-->\n?", "", re.split(r"\n#+ ", whole[m.end() : end])[0]).strip()
            kept = {"mark": m[2], "source": m[3] or "", "page": page, "text": text}
            rows.append(f"\n[{m[1]}]\n" + "".join(f"{name} = {json.dumps(v, ensure_ascii=False)}\n" for name, v in kept.items()))
    return "".join(rows)


def waiting(kept: str) -> str:
    """The list of clauses without a case, without those that have one."""
    tried = {(case.kind.value, clause) for case in cases() for clause in case.clauses}
    rows = [_NOT_YET_HEAD]
    lists: Mapping[str, list[str]] = tomllib.loads(kept)
    for kind, ids in lists.items():
        left = [id for id in ids if (kind, id) not in tried]
        if left:
            rows.append(f"\n{kind} = [\n" + "".join(f'    "{id}",\n' for id in left) + "]\n")
    return "".join(rows)


def main() -> None:
    (PACKAGE / TEXTS).write_text(texts(), encoding="utf-8")
    place = PACKAGE / NOT_YET
    place.write_text(waiting(place.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
