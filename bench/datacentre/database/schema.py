"""The tables of a database, brought up to date step by step (alembic); a database of a later version is left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from bench.datacentre.database.tables import metadata_of
from virtual_devices.cloud.kinds import KINDS
from virtual_devices.errors import UsageError

MIGRATIONS = Path(__file__).parent / "migrations"
METADATA = metadata_of(KINDS)


def config(connection: Connection | None = None) -> Config:
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


def bring_up_to_date(connection: Connection, say: Callable[[str], None]) -> None:
    """Every step that this database lacks, in one transaction. Raises UsageError for one that is not ours, or of a later
    version."""
    revisions = ScriptDirectory.from_config(config())
    head = revisions.get_current_head()
    with connection.begin():
        present = MigrationContext.configure(connection).get_current_revision()
        if present == head:
            return
        if present is None and (tables := inspect(connection).get_table_names()):
            raise UsageError(f"this database holds something else ({', '.join(tables[:3])}): name an empty one")
        if present is not None and present not in {each.revision for each in revisions.walk_revisions()}:
            raise UsageError(f"a later vhc-bench made this database (step {present}, the last known here is {head}): use that")
        command.upgrade(config(connection), "head")
    made = "the database's tables were made" if present is None else f"the database was brought up to date from step {present}"
    say(f"{made} (now at step {head})")


def differences(connection: Connection) -> list[Any]:
    """How the database's tables differ from what the kinds want."""
    found: list[Any] = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), METADATA)
    return found


__all__ = ["METADATA", "MIGRATIONS", "bring_up_to_date", "config", "differences"]
