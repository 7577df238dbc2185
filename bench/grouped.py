"""Help of a command with many options: in groups, each below a heading."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click


class Grouped(click.Command):
    """``groups``: heading -> the names of its options, in order. Each option stands in one; ``--help`` comes last."""

    def __init__(self, *args: Any, groups: Mapping[str, tuple[str, ...]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._groups = groups

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        said = {param.name: record for param in self.params if (record := param.get_help_record(ctx)) is not None}
        asked = self.get_help_option(ctx)
        groups = [[said.pop(name) for name in names] for names in self._groups.values()]
        assert not said, f"in no group: {', '.join(map(str, said))}"
        if asked is not None and (record := asked.get_help_record(ctx)) is not None:
            groups[-1].append(record)
        for heading, records in zip(self._groups, groups, strict=True):
            with formatter.section(heading):
                formatter.write_dl(records)


__all__ = ["Grouped"]
