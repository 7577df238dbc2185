"""The calls of manual 3.3 of presented control software, line by line: ``python -m bench.calls_program https://127.0.0.1:5066``.

What a maker's adapter is for the library of its own (docs/reference/programs.md), this is for ``vhc-bench present
control-software``, whose calls are JSON below ``/bench/v1/call/``. An example, too: it uses nothing but the standard library.
"""

from __future__ import annotations

import json
import ssl
import sys
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

LIMIT_S = 60


class Library:
    """The calls, at that address."""

    def __init__(self, base: str) -> None:
        self._base = base.rstrip("/")
        self._context = ssl.create_default_context()
        self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE  # it signs itself, on this computer

    def call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """``code`` and ``out``; ``error`` where there is no such call, or nobody answers."""
        body = json.dumps({"arguments": arguments}).encode()
        asked = Request(f"{self._base}/bench/v1/call/{name}", body, {"Content-Type": "application/json"})
        try:
            with urlopen(asked, timeout=LIMIT_S, context=self._context) as answer:
                found: dict[str, Any] = json.load(answer)
        except (URLError, OSError, ValueError) as e:
            return {"error": f"{name}: {e}"}
        return found if "code" in found else {"error": f"{name}: {found.get('error') or found}"}

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        match asked.get("do"):
            case "new":
                self.call("csCloseCom", {})
                return {}
            case "call":
                return self.call(asked["name"], asked["arguments"])
            case other:
                return {"error": f"it cannot {other}"}


def main() -> None:
    library = Library(sys.argv[1])
    for line in sys.stdin:
        sys.stdout.write(f"{json.dumps(library.answer(json.loads(line)))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
