"""The option by which a command is told the language of what it says: the same words and the same choice everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from reports.catalogue import languages
from scenarios.listing import ScenarioFaults
from virtual_devices.errors import BenchError


def option(of: str) -> Callable[[Any], Any]:
    """``--lang``, handed on as ``language``. ``of``: what is said in it."""
    return click.option("--lang", "language", type=click.Choice(languages(), case_sensitive=False), default="en",
                        show_default=True, metavar=f"[{'|'.join(languages())}]", help=f"Language of {of}.")


@contextmanager
def refusing_in(language: str) -> Iterator[None]:
    """What is refused in here is told in that language, as far as it has words for it; the error stays the same."""
    try:
        yield
    except BenchError as e:
        if language != "en":
            from bench.conform_words import words_of

            plain = words_of(language)[1].plain
            e.args = (e.listing(plain) if isinstance(e, ScenarioFaults) else "\n".join(map(plain, str(e).split("\n"))),)
        raise


__all__ = ["option", "refusing_in"]
