"""Writes what the profile's pages take from the code: tables between marks, and the page of worked examples.

    .venv/bin/python docs/reference/make_profile_examples.py            all pages, in place
    .venv/bin/python docs/reference/make_profile_examples.py --check    says which would change, and exits with 1

A table stands between ``<!-- made: NAME -->`` and ``<!-- made -->`` (``profile_tables.BLOCKS``); the examples are the whole of
``profile/examples.md``. A test holds the pages to the code.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # the parts of this program stand beside it

from profile_diagnostic import diagnostic  # noqa: E402
from profile_messages import Example, examples  # noqa: E402
from profile_tables import BLOCKS  # noqa: E402

PAGES = (HERE / "profile.md", *sorted((HERE / "profile").glob("*.md")))
EXAMPLES = HERE / "profile" / "examples.md"
_BLOCK = re.compile(r"(<!-- made: (\S+) -->\n).*?(<!-- made -->)", re.DOTALL)
_PER_LINE = 64  # bytes of hex, or characters of half a text
_HEAD = """\
# Worked examples

Made by `docs/reference/make_profile_examples.py`: do not edit. One phone, one desk, one physician and one data centre of the
bench meet on 2026-03-02 at 00:00:00 UTC; every key follows from the seed `profile`, every ECDSA signature is
deterministic (RFC 6979).
The portrait is four bytes that stand for a JPEG. All certificates, keys and persons are invented: trust none of them.

Hex is broken after 64 bytes, text after 128 characters; a line break belongs to neither. The diagnostic notation (RFC 8949
clause 8) shortens long byte strings and shows map entries in the order of their encoding. `rule` names the CDDL rule in the
[CDDL page](cddl.md) that the bytes obey.
"""


def rendered(text: str) -> str:
    """A page with its tables made anew."""
    return _BLOCK.sub(lambda m: f"{m[1]}{BLOCKS[m[2]]()}\n{m[3]}", text)


def example_page() -> str:
    parts = [_HEAD]
    for heading, found in examples():
        parts.append(f"## {heading}\n")
        parts += [_example(one) for one in found]
    return "\n".join(parts)


def _example(one: Example) -> str:
    size = f"{len(one.raw)} bytes" if one.raw else f"{len(one.text)} characters"
    rule = f", rule `{one.rule}`" if one.rule else ""
    body = one.raw.hex() if one.raw else one.text
    lines = [body[at : at + 2 * _PER_LINE] for at in range(0, len(body), 2 * _PER_LINE)]
    shown = f"```cbor-diag\n{diagnostic(one.raw)}\n```\n\n" if one.rule else ""
    kind = "hex" if one.raw else "text"
    return f"### {one.name}\n\n{one.title} ({size}{rule}).\n\n{shown}```{kind}\n" + "\n".join(lines) + "\n```\n"


def pages() -> Iterator[tuple[Path, str]]:
    """Every page, as it should be."""
    for page in PAGES:
        if page != EXAMPLES:
            yield page, rendered(page.read_text(encoding="utf-8"))
    yield EXAMPLES, example_page()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a page would change")
    check = parser.parse_args().check
    changed = [(p, text) for p, text in pages() if not p.exists() or p.read_text(encoding="utf-8") != text]
    for page, text in changed:
        sys.stdout.write(f"{'would change' if check else 'wrote'} {page.relative_to(HERE)}\n")
        if not check:
            page.write_text(text, encoding="utf-8")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
