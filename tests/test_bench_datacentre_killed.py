"""The served data centre is killed (kill -9) while several clients upload over HTTPS; more by ``tests/crash_uploads.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import crash_uploads, postgres

UPLOADS = 60


def test_killed_service_keeps_what_it_acknowledged_in_a_file(tmp_path: Path) -> None:
    crash_uploads.run(tmp_path, f"sqlite:///{tmp_path}/books.db", UPLOADS, kills=1)


@pytest.mark.needs("postgresql")
def test_killed_service_keeps_what_it_acknowledged_at_a_server(tmp_path: Path) -> None:
    with postgres.running(durable=True) as server:
        crash_uploads.run(tmp_path, server.database("killed"), UPLOADS, kills=1)
