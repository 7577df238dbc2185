"""Takes the clauses' texts from the profile's pages into the package.

    .venv/bin/python docs/reference/make_clauses.py

A test holds them to the pages.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from conformance.clause import TEXTS

REFERENCE = Path(__file__).parent
PACKAGE = REFERENCE.parent.parent / "conformance" / "clauses"
PAGES = ("profile.md", *sorted(f"profile/{p.name}" for p in (REFERENCE / "profile").glob("*.md")), "protocol-profile.md")
_CLAUSE = re.compile(r"^\*\*(P-[A-Z]+-\d\d)\*\* \((standard|public|profile|inferred)(?:: ([^)]+))?\) ", re.MULTILINE)
_TEXTS_HEAD = "# Made by docs/reference/make_clauses.py from the profile's pages: change the pages, then make it again.\n"


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


def main() -> None:
    (PACKAGE / TEXTS).write_text(texts(), encoding="utf-8")


if __name__ == "__main__":
    main()
