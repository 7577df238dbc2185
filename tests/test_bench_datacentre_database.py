"""The data centre's database: its tables as the kinds want them, on both makes, one service at a time, acts in turn."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from sqlalchemy import MetaData, create_engine, func, inspect, select, text

from bench.datacentre.database import SqlBooks, Turns, open_books, schema
from bench.datacentre.database.opening import url_of
from virtual_devices.cloud.books import MemoryBooks
from virtual_devices.cloud.core import DataCentre, Person
from virtual_devices.cloud.counting import COUNTERS, Counter, next_number
from virtual_devices.cloud.kinds import KINDS
from virtual_devices.cloud.visits import PEOPLE
from virtual_devices.errors import LinkError, UsageError

from .postgres import Server

MAKES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))]


@pytest.fixture(params=MAKES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/books.db"
    server: Server = request.getfixturevalue("postgresql")
    name = f"t{abs(hash(request.node.nodeid)) % 10**12}"
    return server.database(name)


@pytest.fixture
def opened(url: str) -> Iterator[SqlBooks]:
    books = open_books(url)
    yield books
    books.close()


def test_kinds_are_found_where_they_are_made() -> None:
    names = [kind.name for kind in KINDS]
    assert names == sorted(set(names)) and {"counters", "records", "visits"} <= set(names)
    assert all(re.fullmatch(r"[a-z][a-z_]*", name) for name in names)


def test_steps_lead_to_what_the_kinds_want(url: str) -> None:
    """When this fails after a kind was added or changed: ./bench.sh revision TEXT makes the step."""
    said: list[str] = []
    open_books(url, said.append).close()
    open_books(url, said.append).close()
    assert len(said) == 1 and "were made" in said[0]
    with create_engine(url_of(url)).connect() as connection:
        assert schema.differences(connection) == []


def test_rows_of_the_first_step_are_kept(url: str) -> None:
    engine = create_engine(url_of(url))
    with engine.begin() as connection:
        command.upgrade(schema.config(connection), "0001")
        before = MetaData()
        before.reflect(connection)
        filled = [table for table in before.sorted_tables if table.name != "alembic_version"]
        for table in filled:
            connection.execute(table.insert(), {column.name: _value(column) for column in table.c})
    said: list[str] = []
    open_books(url, said.append).close()
    with engine.connect() as connection:
        now = inspect(connection).get_table_names()
        for table in filled:
            rows = connection.execute(select(func.count()).select_from(table)).scalar_one() if table.name in now else 1
            assert rows == 1, table.name
    engine.dispose()


def _value(column: Any) -> Any:
    return {str: "x", int: 1, bytes: b"x", bool: True}[column.type.python_type]


def test_database_of_a_later_version_is_left_alone(url: str) -> None:
    open_books(url).close()
    with create_engine(url_of(url)).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'later'"))
    with pytest.raises(UsageError, match="a later vhc-bench made this database"):
        open_books(url)


def test_database_of_something_else_is_left_alone(url: str) -> None:
    with create_engine(url_of(url)).begin() as connection:
        connection.execute(text("CREATE TABLE songs (title TEXT)"))
    with pytest.raises(UsageError, match="something else"):
        open_books(url)


def test_second_service_is_refused(url: str) -> None:
    first = open_books(url)
    with pytest.raises(LinkError, match="another service"):
        open_books(url)
    first.close()
    open_books(url).close()


@pytest.mark.parametrize(
    ("name", "error"),
    [("mysql://x", UsageError), ("sqlite://///", UsageError), ("sqlite:////proc/no/books.db", LinkError), ("::://", UsageError),
     ("postgresql://nobody@127.0.0.1:1/none", LinkError)],
)
def test_what_is_no_database_is_refused(name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        open_books(name)


def test_what_was_committed_is_there_when_opened_again(url: str) -> None:
    books = open_books(url)
    DataCentre(books).enrol(Person("000000000001", only_at="9901180014"))
    with pytest.raises(RuntimeError), books.transaction():
        DataCentre(books).enrol(Person("000000000002"))
        len(DataCentre(books).people)  # written, and taken back all the same
        raise RuntimeError
    books.close()
    again = open_books(url)
    assert list(DataCentre(again).people) == [Person("000000000001", only_at="9901180014")]
    again.close()


def test_file_survives_the_loss_of_power(tmp_path: Path) -> None:
    books = open_books(tmp_path / "deep" / "books.db")
    with books.transaction():
        settings = {name: books.connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")}
    assert settings == {"journal_mode": "wal", "synchronous": 2}
    books.close()


# -- in turn


def together(act: Callable[[int], Any], threads: int = 4, each: int = 10) -> list[Any]:
    """What it gives in several threads, many times in each."""
    results: list[Any] = []

    def work(number: int) -> None:
        results.extend([act(number * each + n) for n in range(each)])

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return results


def test_acts_of_many_threads_come_one_after_another(opened: SqlBooks) -> None:
    turns = Turns(opened)
    numbers = together(lambda _: turns.do(lambda: next_number(opened, "turns")))
    assert sorted(numbers) == list(range(1, 41))


def test_act_that_fails_takes_back_its_own_alone(opened: SqlBooks) -> None:
    turns = Turns(opened)

    def act(number: int) -> None:
        next_number(opened, "done")
        if number % 2:
            raise KeyError(number)

    def outcome(number: int) -> bool:
        try:
            turns.do(lambda: act(number))
        except KeyError as error:
            assert error.args == (number,)
            return False
        return True

    assert sum(together(outcome)) == 20
    assert opened.shelf(COUNTERS).get("done") == Counter("done", 20)


def test_act_that_the_database_refuses_takes_nothing_of_others_along(opened: SqlBooks) -> None:
    """A server takes back the whole transaction where one statement failed: the others are done again, without it."""
    turns = Turns(opened)
    people = opened.shelf(PEOPLE)
    people.put(Person("000000000000"))

    def act(number: int) -> None:
        next_number(opened, "done")
        if number % 4 == 1:
            people.add(Person("000000000000"))
            len(people)  # now it is written

    def outcome(number: int) -> bool:
        try:
            turns.do(lambda: act(number))
        except UsageError:
            return False
        return True

    assert sum(together(outcome)) == 30
    assert opened.shelf(COUNTERS).get("done") == Counter("done", 30)


def test_turns_need_no_database() -> None:
    books = MemoryBooks()
    assert Turns(books).do(lambda: next_number(books, "turns")) == 1


@pytest.mark.needs("postgresql")
def test_act_is_done_again_when_another_program_was_in_between(postgresql: Server) -> None:
    name = "in_between"
    books = open_books(postgresql.database(name))
    books.shelf(COUNTERS).put(Counter("turns", 1))
    seen = []

    def act() -> int:
        known = books.shelf(COUNTERS).get("turns")
        assert known is not None
        seen.append(known.last)
        if len(seen) <= 2:  # in one transaction with others, then alone
            with psycopg.connect(postgresql.dsn(name)) as other:
                other.execute("UPDATE counters SET last = last + 10 WHERE name = 'turns'")
        return next_number(books, "turns")

    assert Turns(books).do(act) == 22 and seen == [1, 11, 21]
    books.close()
