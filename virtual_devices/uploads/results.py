"""What became of an upload: per file and per record, with stage, code, place and words."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from virtual_devices.uploads.codes import Effect, Stage
from virtual_devices.uploads.document import Finding, Record
from virtual_devices.uploads.fields import Version


@dataclass(frozen=True, slots=True)
class RecordResult:
    """One record. ``orders``: how many it has. ``findings``: notices too."""

    number: int
    line: int
    national_id: str
    identifier: str
    orders: int
    findings: tuple[Finding, ...]

    @property
    def accepted(self) -> bool:
        return all(one.effect is Effect.NOTICE for one in self.findings)


@dataclass(frozen=True, slots=True)
class FileResult:
    """One file. ``findings``: those of the file as such. ``size_bytes``: as it came."""

    version: Version | None
    size_bytes: int
    findings: tuple[Finding, ...]
    records: tuple[RecordResult, ...]

    @property
    def returned(self) -> bool:
        """The whole file is returned: nothing of it counts."""
        every = (*self.findings, *(one for record in self.records for one in record.findings))
        return any(one.effect is Effect.FILE for one in every)

    @property
    def valid(self) -> tuple[RecordResult, ...]:
        """Records that count."""
        return () if self.returned else tuple(one for one in self.records if one.accepted)

    @property
    def summary(self) -> dict[str, Any]:
        """What is told after the check (official): how much came, how much of it counts, and what the rest failed by."""
        valid = self.valid
        every = (*self.findings, *(one for record in self.records for one in record.findings))
        return {
            "bytes": self.size_bytes, "records": len(self.records), "valid_visits": len(valid),
            "valid_orders": sum(one.orders for one in valid), "invalid_visits": len(self.records) - len(valid),
            "error_codes": sorted({one.code for one in every if one.effect is not Effect.NOTICE}),
        }

    def to_json(self) -> str:
        """As text, to be kept."""
        return json.dumps({
            "version": self.version.value if self.version else None, "bytes": self.size_bytes,
            "findings": [_row(one) for one in self.findings],
            "records": [
                [one.number, one.line, one.national_id, one.identifier, one.orders, [_row(f) for f in one.findings]]
                for one in self.records
            ],
        }, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> FileResult:
        """What :meth:`to_json` wrote."""
        kept = json.loads(text)
        records = tuple(
            RecordResult(number, line, national_id, identifier, orders, _findings(rows))
            for number, line, national_id, identifier, orders, rows in kept["records"]
        )
        return cls(Version(kept["version"]) if kept["version"] else None, kept["bytes"], _findings(kept["findings"]), records)


def _row(one: Finding) -> list[Any]:
    return [one.code, one.stage.value, one.effect.value, one.record, one.order, one.field, one.line, one.detail]


def _findings(rows: Iterable[list[Any]]) -> tuple[Finding, ...]:
    return tuple(Finding(code, Stage(stage), Effect(effect), *rest) for code, stage, effect, *rest in rows)


def result_of(record: Record, findings: tuple[Finding, ...]) -> RecordResult:
    """A record's result."""
    return RecordResult(
        record.number, record.line, record.get("national_id"), record.get("identifier"), len(record.orders), findings
    )


__all__ = ["FileResult", "RecordResult", "result_of"]
