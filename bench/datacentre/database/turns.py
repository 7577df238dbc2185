"""Acts of several threads on one set of books, in turn: those that wait together are committed together.

An act is answered when it has been committed. One that fails takes back its own changes only. When the database refuses the
whole (another program changed the same rows, the disk is full), acts are done again, each alone, a few times where that helps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Any, Generic, TypeVar, cast

from sqlalchemy.exc import DBAPIError

from virtual_devices.cloud.books import Books

Result = TypeVar("Result")
MOST_TOGETHER = 64
TRIES = 5
SERIALISATION_FAILURE, DEADLOCK = "40001", "40P01"


class _Ticket(Generic[Result]):
    """An act that waits for its turn, and what became of it."""

    def __init__(self, act: Callable[[], Result]) -> None:
        self.act = act
        self.done = False
        self.result: Result | None = None
        self.error: BaseException | None = None


class Turns:
    """The turns at one set of books."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._turn = Lock()
        self._waiting: deque[_Ticket[Any]] = deque()

    def do(self, act: Callable[[], Result]) -> Result:
        """What the act gives, once it has been committed. Raises what it raises, and then nothing of it is kept.

        It may be done more than once: nothing of an earlier time is kept in the books.
        """
        ticket = _Ticket(act)
        self._waiting.append(ticket)
        with self._turn:
            while not ticket.done:
                self._serve()
        if ticket.error is not None:
            raise ticket.error
        return cast(Result, ticket.result)

    def _serve(self) -> None:
        together = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER))]
        try:
            self._commit(together)
        except DBAPIError:
            for ticket in together:
                self._alone(ticket)
        finally:
            for ticket in together:
                ticket.done = True

    def _alone(self, ticket: _Ticket[Any]) -> None:
        for left in reversed(range(TRIES)):
            try:
                self._commit([ticket])
                return
            except DBAPIError as error:
                ticket.error = ticket.error or error
                if not (left and of_use_again(error)):
                    return

    def _commit(self, together: list[_Ticket[Any]]) -> None:
        with self._books.transaction():
            for ticket in together:
                ticket.error = None
                try:
                    with self._books.transaction():
                        ticket.result = ticket.act()
                except DBAPIError:
                    raise
                except BaseException as error:
                    ticket.error = error


def of_use_again(error: DBAPIError) -> bool:
    """Whether the same may succeed a moment later."""
    state = getattr(error.orig, "sqlstate", None)
    return state in (SERIALISATION_FAILURE, DEADLOCK) or error.connection_invalidated or "database is locked" in str(error.orig)


__all__ = ["MOST_TOGETHER", "Turns", "of_use_again"]
