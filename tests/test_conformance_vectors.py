"""The test vectors: the same seed gives the same bytes, the manifest keeps its closed schema, and our own reader and holder's
device say of each vector what it states."""

from __future__ import annotations

import hashlib
import io
import json
from functools import cache
from typing import Any

import numpy as np
import pytest
import zxingcpp
from PIL import Image
from pydantic import ValidationError

from conformance.vectors.build import MANIFEST, READ_ME, SCHEMA, build, make, schema
from conformance.vectors.model import Input, Kind, Manifest, Reason, Value, Vector

from .vector_checks import Checks, expected

SEED = 7


@cache
def files() -> dict[str, bytes]:
    return build(SEED)


@cache
def checks() -> Checks:
    return Checks(Manifest.model_validate_json(files()[MANIFEST]), files())


def vectors() -> tuple[Vector, ...]:
    return tuple(make(SEED).vectors.values())


VECTORS = vectors()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v.id)
def test_vector_is_judged_as_it_says(vector: Vector) -> None:
    assert checks().look(vector) == expected(vector)
