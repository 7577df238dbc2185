"""The libraries of the media, which ``make run`` does without: whether they are there, and what to do where they are not."""

from __future__ import annotations

from importlib.util import find_spec

from virtual_devices.errors import LinkError

PACKAGES = {
    "nfc": "nfcpy", "smartcard": "pyscard", "bleak": "bleak", "bumble": "bumble", "dbus_fast": "dbus-fast",
    "zxingcpp": "zxing-cpp", "PIL": "Pillow",
}
"""Module -> package that pip installs it from."""
_COMPILED = {"smartcard": " with Debian's libpcsclite-dev"}


def require(*modules: str) -> None:
    """Raises LinkError for those of them that are not installed."""
    absent = [module for module in modules if find_spec(module) is None]
    if absent:
        raise LinkError(not_installed(*absent))


def not_installed(*modules: str) -> str:
    """What a person reads, and can do."""
    packages = [PACKAGES[module] for module in modules]
    besides = "".join(_COMPILED.get(module, "") for module in modules)
    are = "is" if len(packages) == 1 else "are"
    return f"{' and '.join(packages)} {are} not installed: ./bench.sh setup test, or pip install {' '.join(packages)}{besides}"


__all__ = ["PACKAGES", "not_installed", "require"]
