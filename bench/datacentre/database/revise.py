"""A new step for the database's tables, from what the kinds want and the last step has: ``./bench.sh revision MESSAGE``."""

from __future__ import annotations

import sys

from alembic import command
from sqlalchemy import create_engine

from bench.datacentre.database.schema import MIGRATIONS, bring_up_to_date, config, differences


def main(message: str) -> int:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        if any(MIGRATIONS.joinpath("versions").glob("*.py")):
            bring_up_to_date(connection, lambda _: None)
            with connection.begin():
                if not differences(connection):
                    sys.stdout.write("the last step has all that the kinds want: nothing to do\n")
                    return 0
        with connection.begin():
            number = f"{len(list(MIGRATIONS.joinpath('versions').glob('*.py'))) + 1:04d}"
            command.revision(config(connection), message, autogenerate=True, rev_id=number)
    return 0


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:]) or "a step"))
