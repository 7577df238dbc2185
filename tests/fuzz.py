"""Fuzzing: what the bench reads from others, fed with what nobody should send.

    ./bench.sh fuzz                        a million inputs to each target
    ./bench.sh fuzz 20000 qr cwt           so many to these
    ./bench.sh fuzz -l                     the targets
    ./bench.sh fuzz --replay FILE qr       one input again

``atheris`` watches which lines an input reaches and goes on from what is new; its mutations take turns with our own, which know
CBOR and sequences. Where it cannot be installed, and always in ``make test``, our own run alone, from a seed. An input at which
a target falls over is kept below ``.cache/fuzz/`` and the command ends with 1.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from virtual_devices.randomness import stream

if TYPE_CHECKING:
    from .fuzz_targets import Target

INPUTS = 1_000_000
HERE = Path(__file__).resolve().parent.parent
LONGEST_S = 20
"""An input that takes longer is a fault."""
MEMORY_MB = 2048


def targets() -> dict[str, Target]:
    from .fuzz_machines import MACHINES
    from .fuzz_targets import TARGETS

    return {**TARGETS, **MACHINES}


def mutate(name: str, target: Target, inputs: int, seed: int) -> None:
    """Valid messages spoilt, from a seed alone. Raises AssertionError with the input at which it falls over."""
    rng = stream("fuzz target", name, seed)
    good = target.seeds()
    for raw in good:
        _feed(name, target, raw)
    for _ in range(inputs):
        raw = rng.randbytes(rng.choice((0, 1, 5, 40))) if rng.random() < 0.02 else target.spoil(rng, rng.choice(good))
        _feed(name, target, raw)


def _feed(name: str, target: Target, raw: bytes) -> None:
    try:
        target.run(raw)
    except Exception as e:
        raise AssertionError(f"{name}, {raw.hex()}: {type(e).__name__}: {e}") from e


def guided(name: str, inputs: int, seed: int, kept: Path) -> None:
    """Under atheris. Ends the process: 0, or 77 after an input at which it fell over."""
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

    with atheris.instrument_imports(include=["virtual_devices"], enable_loader_override=False):
        _remember()
        target = targets()[name]
    good, grown = kept / "seeds", kept / "corpus"
    for folder in (good, grown):
        folder.mkdir(parents=True, exist_ok=True)
    for number, raw in enumerate(target.seeds()):
        (good / str(number)).write_bytes(raw)

    def mutator(data: bytes, most: int, number: int) -> bytes:
        rng = Random(number)
        if rng.random() < 0.5:
            return bytes(atheris.Mutate(data, most))
        return target.spoil(rng, data)[:most]

    options = [
        f"-runs={inputs}", f"-seed={seed + 1}", f"-max_len={max(target.most_bytes, *map(len, target.seeds()))}",
        f"-timeout={LONGEST_S}", f"-rss_limit_mb={MEMORY_MB}", f"-artifact_prefix={kept}/", "-print_final_stats=1",
        "-verbosity=0",
    ]
    atheris.Setup(["fuzz", *options, str(grown), str(good)], target.run, custom_mutator=mutator)
    atheris.Fuzz()


def _remember() -> None:
    from .fuzz_quick import remember

    remember()


def one(name: str, inputs: int, seed: int, kept: Path, engine: str) -> None:
    """One target, in this process. Under atheris nothing of it may have been imported before."""
    if engine == "atheris":
        guided(name, inputs, seed, kept)
        return
    _remember()
    from .fuzz_devices import CAMPAIGNS

    if name in CAMPAIGNS:
        CAMPAIGNS[name](inputs, seed)
    else:
        mutate(name, targets()[name], inputs, seed)


def _child(name: str, options: argparse.Namespace) -> tuple[str, int, float, str]:
    """One target in a process of its own."""
    from .fuzz_devices import CAMPAIGNS

    began = time.monotonic()
    engine = "mutate" if name in CAMPAIGNS else options.engine
    kept = HERE / ".cache" / "fuzz" / name
    kept.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz", "--here", name, str(options.inputs), f"--seed={options.seed}",
               f"--engine={engine}"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    log = done.stdout + done.stderr
    (kept / "log").write_text(log, encoding="utf-8")
    return name, done.returncode, time.monotonic() - began, log


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _all(options: argparse.Namespace) -> int:
    failed = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for name, code, took_s, log in pool.map(lambda name: _child(name, options), options.names):
            speed = f"{options.inputs:>9} inputs {took_s:7.0f} s {options.inputs / max(took_s, 0.001):8.0f}/s"
            _tell(f"{name:<20}{speed}  {'nothing but refusals' if code == 0 else 'FELL OVER'}")
            if code:
                failed.append(name)
                _tell("\n".join(line[:400] for line in log.splitlines()[-25:]))
    if failed:
        _tell(f"fell over: {' '.join(failed)}; inputs and logs are in .cache/fuzz/")
    return 1 if failed else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    form = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(prog="./bench.sh fuzz", description=__doc__, formatter_class=form)
    parser.add_argument("words", nargs="*", metavar="N|NAME", help=f"inputs a target ({INPUTS}), and which targets (all)")
    parser.add_argument("-l", "--list", action="store_true", help="only name the targets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="targets at a time")
    parser.add_argument("--engine", choices=("atheris", "mutate"), default="atheris" if _has_atheris() else "mutate")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="feed this one input to the target named")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_intermixed_args(arguments)
    numbers = [word for word in options.words if word.isdigit()]
    options.inputs = int(numbers[-1]) if numbers else INPUTS
    options.names = [word for word in options.words if not word.isdigit()]
    return options


def _has_atheris() -> bool:
    return importlib.util.find_spec("atheris") is not None


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    if options.here:
        one(options.names[0], options.inputs, options.seed, HERE / ".cache" / "fuzz" / options.names[0], options.engine)
        return 0
    from .fuzz_devices import CAMPAIGNS

    known = targets()
    if unknown := [name for name in options.names if name not in known and name not in CAMPAIGNS]:
        sys.stderr.write(f"no target {', '.join(unknown)}; there are: {' '.join([*known, *CAMPAIGNS])}\n")
        return 2
    if options.list:
        for name, target in known.items():
            _tell(f"  {name:<20}{target.what}")
        _tell(f"  and devices that keep their state: {' '.join(CAMPAIGNS)}")
        return 0
    if options.replay is not None:
        known[options.names[0]].run(options.replay.read_bytes())
        return 0
    options.names = options.names or [*known, *CAMPAIGNS]
    _tell(f"{len(options.names)} targets, {options.inputs} inputs each, engine {options.engine}, seed {options.seed}")
    return _all(options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
