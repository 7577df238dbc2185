"""Files written in one step: whoever looks at one sees the old or the new, and never half of it."""

from __future__ import annotations

from pathlib import Path

from virtual_devices.errors import UsageError


def put(path: Path, content: bytes) -> None:
    """All of it or nothing. Raises OSError."""
    beside = path.with_name(f".{path.name}.part")
    beside.write_bytes(content)
    beside.replace(path)


def write(path: Path, content: bytes) -> None:
    """The same, where a person has said the path. Raises UsageError."""
    try:
        put(path, content)
    except OSError as e:
        raise UsageError(f"{path} cannot be written: {e.strerror or e}") from e


__all__ = ["put", "write"]
