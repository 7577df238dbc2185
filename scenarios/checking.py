"""The values of a scenario file against its situation's model: everything that is wrong, each at its own place, each once.

A fault in an override (``--set``) names the override, not the file. What is misspelt is named, taken as it was probably
meant, and what stands behind it is checked as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from typing import Any

import pydantic

from scenarios.fitting import EPOCH_S, UNFIT, clock
from scenarios.listing import Fault
from scenarios.meant import TABLES, Meant, get
from scenarios.mirror import filled
from scenarios.positions import Path, dotted
from scenarios.schema_of import schema_of
from scenarios.syntax import Parsed
from scenarios.wording import nearest, said
from virtual_devices.clock import TAIWAN
from virtual_devices.faults import day_seconds

Found = Mapping[str, Any]
"""One of pydantic's errors."""


class Values:
    """The values of one parsed file. Whatever is wrong with them is added to the file's faults."""

    def __init__(self, parsed: Parsed) -> None:
        self._parsed = parsed
        self._meant = Meant(parsed.data, parsed.positions)
        self._whole: dict[str, Any] = {}  # the values with the defaults of every table
        self._epoch_blamed = False

    def override(self, overrides: Mapping[str, str]) -> None:
        """Replace values, and remember which."""
        for name, value in overrides.items():
            problem, hint = self._meant.override(name, value)
            if problem:
                self._override_fault(name, problem, hint)

    def situation(self, known: Iterable[str], any_file: type[pydantic.BaseModel]) -> tuple[str, bool]:
        """The name of the situation, and whether it was guessed; an empty name when it is none of the known ones."""
        self._settled(any_file, top_only=True)  # the key itself may be misspelt, or stand in a table
        name, place = self._meant.data.get("situation"), ("situation",)
        if isinstance(name, date | time):  # elsewhere a date without quotes may stand for its text, but never here
            self._report(place, *said({"type": "string_type"}, "situation", name, []))
        if not isinstance(name, str) or name in known:
            return (name, self._meant.written(place) != place) if isinstance(name, str) else ("", True)
        guess = nearest(name, known)
        there = f"there is no situation {json.dumps(name, ensure_ascii=False)}; there are: {', '.join(known) or 'none'}"
        self._report(place, there, f'did you mean "{guess}"?' if guess else "")
        return guess, True

    def check(self, model: type[pydantic.BaseModel]) -> pydantic.BaseModel | None:
        """The file as the model; None when a value is wrong."""
        self._meant.add_tables(model.model_fields)  # so that what is missing in them is named as well
        checked, found = self._settled(model)
        self._same_ids()
        meant = {self._unknown(place)[0] for place, one in found.items() if one["type"] == "extra_forbidden"}
        for place, one in found.items():
            self._tell(place, one, meant)
        self._windows()
        return checked

    # -- what was meant

    def _settled(
        self, model: type[pydantic.BaseModel], *, top_only: bool = False
    ) -> tuple[pydantic.BaseModel | None, dict[Path, Found]]:
        """The file as the model, or the errors that are left when everything with a likely meaning has been put right.

        What is put right is reported here. ``top_only``: no further than the keys at the top of the file.
        """
        self._schema = schema_of(model)
        while True:
            self._whole = filled(model, self._meant.data)
            try:
                text = json.dumps(self._whole, default=_iso)
                return model.model_validate_json(text, strict=True, context={EPOCH_S: self._epoch_s()}), {}
            except pydantic.ValidationError as error:
                found: dict[Path, Found] = {}  # a value that fits none of several types is one fault
                for one in error.errors(include_url=False):
                    found.setdefault(self._place(one), one)
            if not any(self._mended(place, one, top_only) for place, one in found.items()):  # one at a time: places move
                return None, found

    def _mended(self, place: Path, found: Found, top_only: bool) -> bool:
        """Put right what is wrong at a place, if it is clear how; then it is reported as well."""
        kind = found["type"]
        if kind == "extra_forbidden":
            target, hint = self._unknown(place)
            return bool(target) and (len(target) == 1 or not top_only) and self._moved(place, target, hint)
        if top_only:
            return False
        if kind == "union_tag_not_found":
            return self._tagged(place)
        if kind in ("literal_error", "union_tag_invalid"):
            value, choices = get(self._whole, place), self._choices(place, kind)
            guess = nearest(value, [c for c in choices if isinstance(c, str)]) if isinstance(value, str) else ""
            if guess:
                self._tell(place, found, set())
                return self._meant.replace(place, guess)
        return False

    def _moved(self, place: Path, target: Path, hint: str) -> bool:
        if not self._meant.move(place, target):
            return False
        self._report(place, "unknown key", hint, key=True)
        return True

    def _tagged(self, place: Path) -> bool:
        """The key that tells alternatives apart is not there: misspelt, or left out."""
        table, tag, tags = place[:-1], str(place[-1]), self._schema.tags(place[:-1], self._whole)
        for key, value in (get(self._meant.data, table) or {}).items():
            if value in tags or nearest(key, [tag]):
                return self._moved((*table, key), place, f"did you mean {dotted(place)}?")
        guess = self._schema.likeliest_tag(table, self._whole)
        if guess:
            self._missing(place, f"write one of {', '.join(map(json.dumps, tags))}")
        return bool(guess) and self._meant.replace(place, guess)

    def _unknown(self, place: Path) -> tuple[Path, str]:
        """Of an unknown key: the place that was probably meant, or an empty one; and the hint."""
        key, there = str(place[-1]), get(self._meant.data, place[:-1]) or {}
        known = self._schema.node(place[:-1], self._whole).get("properties", {})
        written = self._meant.written(place)
        overridden = next((whole for whole in self._meant.overridden if whole[: len(written)] == written), None)
        free = [k for k in known if overridden or self._meant.may_take((*place[:-1], k), there.get(key))]
        guess, (home, why) = nearest(key, free), self._home(key, place)
        if home:
            return home, why
        if guess:
            rest = overridden[len(written) :] if overridden else ()
            return (*place[:-1], guess), f"did you mean {dotted((*place[:-1], guess, *rest))}?"
        return (), f"there are: {', '.join(known)}" if known else "there are none here"

    def _home(self, key: str, place: Path) -> tuple[Path, str]:
        """Where a key belongs that stands in the wrong table: TOML gives a key to the last [table] above it."""
        if len(place) > 1 and key in self._schema.top:
            return (key,), f"{key} belongs at the top of the file, before the first [table]"
        for table in TABLES if len(place) <= 2 else ():
            if place[0] != table and key in self._schema.node((table,), self._whole).get("properties", {}):
                return (table, key), f"it belongs in [{table}]"
        return (), ""

    def _epoch_s(self) -> float | None:
        """The time of day, in Taiwan, at which a replication begins; None when the file gives none that can be read."""
        value = get(self._whole, ("run", "epoch"))
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            return None
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            return None
        local = moment.astimezone(TAIWAN)
        return local.hour * 3600 + local.minute * 60 + local.second + local.microsecond / 1e6

    # -- what is wrong

    def _tell(self, place: Path, found: Found, meant: set[Path]) -> None:
        match found["type"]:
            case "extra_forbidden":
                there = get(self._meant.data, place)
                what = "unknown table" if len(place) == 1 and isinstance(there, dict | list) else "unknown key"
                self._report(place, what, self._unknown(place)[1], key=True)
            case "missing":
                if not any(place[:n] in meant for n in range(1, len(place) + 1)):  # a misspelt key is one fault, not two
                    self._missing(place, self._schema.node(place, self._whole).get("description", "").split("\n")[0])
            case "union_tag_not_found":
                tags = self._schema.tags(place[:-1], self._whole)
                self._missing(place, f"write one of {', '.join(map(json.dumps, tags))}")
            case _ if found["loc"][-1:] == ("[key]",):
                self._wrong_key(place, found)
            case kind if kind == UNFIT:
                self._unfit(place, found)
            case "value_error" if self._parsed.partial:
                pass  # what it complains of may have stood in a line that cannot be read
            case kind:
                message, hint = said(found, str(place[-1]) if place else "", get(self._whole, place), self._choices(place, kind))
                whole_table = kind == "value_error" and isinstance(get(self._whole, place), dict)
                hint = hint or _brackets(place, get(self._whole, place), kind)
                self._report(place, message, hint, key=whole_table, inside=whole_table)

    def _choices(self, place: Path, kind: str) -> list[Any]:
        if kind == "union_tag_invalid":
            return self._schema.tags(place[:-1], self._whole)
        return self._schema.choices(place, self._whole)

    def _unfit(self, place: Path, found: Found) -> None:
        """A value that does not fit another one: told where it can be mended, which is where somebody wrote something."""
        context = found["ctx"]
        places = [(*place[:-1], name) for name in context["fields"]] or [place]
        if self._parsed.partial and not all(map(self._meant.is_written, places)):
            return  # what is not there may have stood in a line that cannot be read
        blamed = next((p for p in places if self._meant.is_overridden(p)), None)
        if context["epoch"] and blamed is None and (self._meant.is_overridden(EPOCH) or not self._meant.is_written(place)):
            self._blame_epoch(place)
            return
        blamed = blamed or next((p for p in places if self._meant.is_written(p)), places[0])
        self._report(blamed, context["said"])

    def _blame_epoch(self, place: Path) -> None:
        """The epoch is what was written, and is too late for something that was not: one fault, however many there are."""
        if not self._epoch_blamed:
            self._epoch_blamed = True
            begins = f"begins the day at {clock(self._epoch_s() or 0)} (Taiwan time)"
            self._report(EPOCH, f"{begins}, after {dotted(place)} ({get(self._whole, place)})")

    def _wrong_key(self, place: Path, found: Found) -> None:
        """A table whose keys are values themselves: a key that is none of those allowed, or looks wrong."""
        key = str(place[-1])
        choices = [str(c) for c in self._schema.node(place[:-1], self._whole).get("propertyNames", {}).get("enum", [])]
        if choices:
            guess = nearest(key, choices)
            hint = f"did you mean {dotted((*place[:-1], guess))}?" if guess else f"there are: {', '.join(choices)}"
            self._report(place, "unknown key", hint, key=True)
        else:
            message, hint = said(found, "", key, [])
            self._report(place, f"this key {message}", hint, key=True)

    def _missing(self, place: Path, hint: str) -> None:
        if place[0] in self._meant.added and len(place) > 1:
            hint = f"add it under [{place[0]}]{f': {hint}' if hint else ''}"
        if not self._parsed.partial:
            self._report(place, "is missing", hint, at=place[:-1], inside=True)

    def _faults(self) -> list[tuple[int, dict[str, Any]]]:
        listed = self._meant.data.get("fault")
        return [(i, one) for i, one in enumerate(listed if isinstance(listed, list) else []) if isinstance(one, dict)]

    def _same_ids(self) -> None:
        first: dict[str, int] = {}
        for index, one in self._faults():
            name = one.get("id")
            if isinstance(name, str) and first.setdefault(name, index) != index:
                before = self._meant.positions.value(self._meant.written(("fault", first[name], "id"))).line
                self._report(("fault", index, "id"), f"is used already, in line {before}", "give each fault its own id")

    def _windows(self) -> None:
        """Faults whose window is over when a replication begins: they would never strike."""
        epoch_s = self._epoch_s()
        for index, one in self._faults() if epoch_s is not None else ():
            end = one["end"].isoformat() if isinstance(one.get("end"), time) else one.get("end")
            try:
                over = isinstance(end, str) and bool(end) and day_seconds(end) <= (epoch_s or 0)
            except ValueError:
                continue
            if over:
                words = f"{end} is too early: run.epoch begins the day at {clock(epoch_s or 0)} (Taiwan time)"
                self._unfit(("fault", index, "end"), {"ctx": {"said": words, "fields": [], "epoch": True}})

    # -- where

    def _place(self, found: Found) -> Path:
        """Where an error is in the data. Pydantic's own location also names the alternatives that it tried."""
        place: list[str | int] = []
        data: Any = self._whole
        for part in found["loc"]:
            inner = get(data, (part,))
            if inner is not None:  # TOML has no null
                data = inner
                place.append(part)
        if found["type"] == "missing" or (found["type"] == UNFIT and place[-1:] != [found["loc"][-1]]):
            place.append(found["loc"][-1])
        elif found["type"].startswith("union_tag_"):
            place.append(found["ctx"]["discriminator"].strip("'"))
        return tuple(place)

    def _report(
        self, place: Path, message: str, hint: str = "", *, key: bool = False, at: Path | None = None, inside: bool = False
    ) -> None:
        """Add a fault at a place, or to the override that the value came from. ``key``: point at the key, not at the value.
        ``at``: point there instead. ``inside``: an override of anything in the table counts as well."""
        written = self._meant.written(place)
        for overridden, name in self._meant.overridden.items():
            shorter = min(len(written), len(overridden))
            if overridden[:shorter] == written[:shorter] and (
                inside or len(overridden) <= len(written) or "unknown" in message
            ):
                self._override_fault(name, message, hint)
                return
        pointed = self._meant.written(at) if at is not None else written
        span = (self._meant.positions.key if key or at is not None else self._meant.positions.value)(pointed)
        self._parsed.fault(span, dotted(place), message, hint)

    def _override_fault(self, name: str, message: str, hint: str = "") -> None:
        self._parsed.found[Fault(self._parsed.path, 0, 0, f"--set {name}", message, hint)] = 0


EPOCH: Path = ("run", "epoch")


def _brackets(place: Path, value: Any, kind: str) -> str:
    if len(place) == 1 and isinstance(value, dict) and kind in ("tuple_type", "list_type"):
        return f"write [[{place[0]}]], with double brackets"
    if len(place) == 1 and isinstance(value, list) and kind in ("model_type", "dict_type"):
        return f"write [{place[0]}], with single brackets"
    return ""


def _iso(value: Any) -> str:
    """tomllib's types beyond JSON's are dates and times, all of which write themselves in ISO 8601."""
    if not isinstance(value, date | time):
        raise TypeError(f"{type(value).__name__} is no type of TOML")
    return value.isoformat()
