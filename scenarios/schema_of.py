"""A model's JSON schema, walked along the values that it describes: what may stand at a place, and by which names."""

from __future__ import annotations

from functools import cache
from typing import Any

import pydantic

from scenarios.meant import get
from scenarios.positions import Path


@cache
def schema_of(model: type[pydantic.BaseModel]) -> SchemaOf:
    """The schema of a model, made once."""
    return SchemaOf(model)


class SchemaOf:
    """The schema of one model."""

    def __init__(self, model: type[pydantic.BaseModel]) -> None:
        self._schema = model.model_json_schema()

    @property
    def top(self) -> dict[str, Any]:
        """The keys at the top of the file."""
        keys: dict[str, Any] = self._schema["properties"]
        return keys

    def node(self, place: Path, data: Any) -> dict[str, Any]:
        """The schema of what stands at a place of the data; an empty one when the schema does not reach there."""
        node = self._schema
        for part in place:
            if isinstance(part, int):
                inner = node.get("items")
            else:
                inner = node.get("properties", {}).get(part, node.get("additionalProperties"))
            data = get(data, (part,))
            node = self._resolved(inner if isinstance(inner, dict) else {}, data)
        return node

    def choices(self, place: Path, data: Any) -> list[Any]:
        """The values that a field allows, when it allows only some."""
        node = self.node(place, data)
        return list(node.get("enum", [node["const"]] if "const" in node else []))

    def tags(self, place: Path, data: Any) -> list[str]:
        """The names of the alternatives at a place."""
        return list(self.node(place, data).get("discriminator", {}).get("mapping", {}))

    def likeliest_tag(self, place: Path, data: Any) -> str:
        """The one alternative at a place that knows most of the keys that are there; empty when that is none, or several."""
        node, keys = self.node(place, data), set(get(data, place) or ())
        tag = node.get("discriminator", {}).get("propertyName")
        counts = {
            name: len(keys & self._resolved({"$ref": ref}, None).get("properties", {}).keys() - {tag})
            for name, ref in node.get("discriminator", {}).get("mapping", {}).items()
        }
        best = [name for name, count in counts.items() if count and count == max(counts.values())]
        return best[0] if len(best) == 1 else ""

    def _resolved(self, node: dict[str, Any], data: Any) -> dict[str, Any]:
        """A schema with its reference followed, and its alternative chosen by what the data says it is."""
        if "discriminator" in node and isinstance(data, dict):
            tag, mapping = data.get(node["discriminator"]["propertyName"]), node["discriminator"]["mapping"]
            return self._resolved({"$ref": mapping[tag]}, data) if isinstance(tag, str) and tag in mapping else node
        if "$ref" in node:
            target: dict[str, Any] = self._schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
            return target | {key: value for key, value in node.items() if key != "$ref"}
        return node
