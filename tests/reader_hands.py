"""Hands of ``conform``: somebody at the tests' vendor's reader, who has it do what the step is about.

    vhc-bench conform ... --hands "python -m tests.reader_hands FOLDER/task"     beside the reader's log
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.hands import Step

from .reader_desk import Teller


def main(task: str, step: str, limit_s: str, about: str) -> int:
    return 0 if Teller(Path(task)).ask(Step(step), float(limit_s), about=about) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
