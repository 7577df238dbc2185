"""Run by alembic: the steps are taken over the connection that is handed in, within its transaction."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Text

from bench.datacentre.database.schema import METADATA


def render(kind: str, item: Any, about: AutogenContext) -> str | Literal[False]:
    """Text is the books' own, with its order."""
    if kind != "type" or not isinstance(item, Text):
        return False
    about.imports.add("from bench.datacentre.database.tables import TEXT")
    return "TEXT"


connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True, render_item=render)
context.run_migrations()
