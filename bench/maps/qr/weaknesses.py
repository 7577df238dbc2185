"""What spoils a code between a screen and a camera, each by a strength that a person can measure.

A camera in a hand is never quite straight: every trial is turned a little, scaled a little, and has the sensor's noise, drawn
from the trial's own stream; the first of a weakness's strengths is that and nothing more. Pictures are grey, 0 to 255.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from bench.maps.qr.codes import MODULE_PX, Code

TABLE = 190
"""Grey of what is round a screen."""
BLACK = 16
"""Grey that a camera makes of no light."""
NOISE = 2.0
"""Standard deviation of the sensor's noise, in grey values."""
TURN_DEG, SCALE = 3.0, 0.05
"""Of a hand: up to so many degrees, and so much nearer or farther."""
FRAME_PX = (1920, 1080)
"""A camera's frame, where several codes share it."""

Spoil = Callable[[Image.Image, float, np.random.Generator], Image.Image]


@dataclass(frozen=True, slots=True)
class Weakness:
    """One way to spoil a picture. ``strengths`` from harmless to hopeless, in ``unit``; ``zh`` and ``en`` for people."""

    name: str
    zh: str
    en: str
    unit: str
    unit_zh: str
    strengths: tuple[float, ...]
    spoil: Spoil


def blur(picture: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    """Out of focus, or moved: a Gaussian of so many modules."""
    return picture.filter(ImageFilter.GaussianBlur(strength * MODULE_PX))


def dim(picture: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    """A dark screen in a dark room: so much of the contrast is left, over what a sensor calls black, and the noise stays."""
    return Image.fromarray((BLACK + np.asarray(picture, dtype=np.float32) * (1 - BLACK / 255) * strength).astype(np.uint8))


def tilt(picture: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    """Turned in the picture's plane, in degrees."""
    return picture.rotate(strength, Image.Resampling.BICUBIC, expand=True, fillcolor=TABLE)


def perspective(picture: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    """Seen from aside: the far edge is shorter by this share, and the code as much narrower."""
    width, height = picture.size
    inset, narrow = height * strength / 2, width * (1 - strength / 2)
    corners = [(0.0, 0.0), (narrow, inset), (narrow, height - inset), (0.0, float(height))]
    source = [(0, 0), (width, 0), (width, height), (0, height)]
    return picture.transform(
        picture.size, Image.Transform.PERSPECTIVE, _coefficients(corners, source), Image.Resampling.BICUBIC, fillcolor=TABLE,
    )


def _coefficients(seen: Sequence[tuple[float, float]], source: Sequence[tuple[float, float]]) -> list[float]:
    """Of the projective map from what is seen to where it comes from."""
    rows, values = [], []
    for (x, y), (u, v) in zip(seen, source, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return [float(c) for c in np.linalg.solve(np.array(rows, dtype=float), np.array(values, dtype=float))]


def glare(picture: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    """A lamp on the glass: a round white spot of this share of the side, with a soft edge, anywhere over the code."""
    if not strength:
        return picture
    seen = np.asarray(picture, dtype=np.float32)
    height, width = seen.shape
    radius = strength * width / 2
    x, y = rng.uniform(radius, width - radius), rng.uniform(radius, height - radius)
    far = np.hypot(np.arange(width)[None, :] - x, np.arange(height)[:, None] - y) / radius
    white = np.clip((1.15 - far) / 0.3, 0, 1)
    return Image.fromarray((seen + (255 - seen) * white).astype(np.uint8))


def moire(picture: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    """The screen's grid of pixels beats with the camera's: dark stripes of two directions, so deep, one to three modules wide."""
    seen = np.asarray(picture, dtype=np.float32)
    height, width = seen.shape
    shade = np.ones_like(seen)
    for turned in (0.0, math.pi / 2):
        angle = turned + rng.uniform(-0.5, 0.5)
        period = rng.uniform(1.0, 3.0) * MODULE_PX
        along = np.arange(width)[None, :] * math.cos(angle) + np.arange(height)[:, None] * math.sin(angle)
        wave = 0.5 + 0.5 * np.cos(2 * math.pi * along / period + rng.uniform(0, 2 * math.pi))
        shade *= 1 - strength / 2 * wave
    return Image.fromarray((seen * shade).astype(np.uint8))


def cover(picture: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    """A finger or a sticker over this share of the code's area: a grey square anywhere over it."""
    if not strength:
        return picture
    width, height = picture.size
    edge = round(math.sqrt(strength * width * height))
    spoiled = picture.copy()
    spoiled.paste(110, (x := int(rng.integers(0, width - edge)), y := int(rng.integers(0, height - edge)), x + edge, y + edge))
    return spoiled


def coarse(picture: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    """Far away: a module is so many pixels of the camera wide."""
    share = strength / MODULE_PX
    size = round(picture.width * share), round(picture.height * share)
    return picture.resize(size, Image.Resampling.BOX)


def as_it_is(picture: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    """Several codes are put into one picture by :func:`seen`, which is all that is done to them."""
    return picture


SEVERAL = "several"
WEAKNESSES: tuple[Weakness, ...] = (
    Weakness("blur", "模糊", "blur", "modules", "模組", (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7), blur),
    Weakness("dim", "昏暗", "dim", "of the contrast", "對比", (1.0, 0.5, 0.2, 0.1, 0.07, 0.04, 0.02), dim),
    Weakness("tilt", "旋轉", "tilt", "degrees", "度", (0.0, 10.0, 20.0, 30.0, 45.0), tilt),
    Weakness("perspective", "透視", "perspective", "of the far edge", "遠邊", (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6), perspective),
    Weakness("glare", "反光", "glare", "of a side", "邊長", (0.0, 0.1, 0.2, 0.3, 0.4, 0.5), glare),
    Weakness("moire", "摩爾紋", "moiré", "of the light", "亮度", (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), moire),
    Weakness("cover", "部分遮蔽", "partial cover", "of the area", "面積", (0.0, 0.02, 0.05, 0.08, 0.12, 0.2), cover),
    Weakness("coarse", "解析度低", "low resolution", "pixels a module", "像素／模組", (6.0, 3.0, 2.0, 1.5, 1.3, 1.0), coarse),
    Weakness(SEVERAL, "多碼同框", "several at once", "codes in a frame", "個", (1.0, 2.0, 4.0, 6.0, 12.0), as_it_is),
)
BY_NAME = {weakness.name: weakness for weakness in WEAKNESSES}


def seen(codes: Sequence[Code], weakness: Weakness, strength: float, rng: np.random.Generator) -> Image.Image:
    """What the camera sees: the first code, or with the weakness ``several`` so many of them in one frame."""
    if weakness.name == SEVERAL:
        return _noisy(_together(codes[: round(strength)], rng), rng)
    return _noisy(weakness.spoil(_held(codes[0].picture(), rng), strength, rng), rng)


def _held(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """By a hand: turned and scaled a little, on the table."""
    scale = 1 + rng.uniform(-SCALE, SCALE)
    size = round(picture.width * scale), round(picture.height * scale)
    turned = picture.resize(size, Image.Resampling.BICUBIC)
    return turned.rotate(rng.uniform(-TURN_DEG, TURN_DEG), Image.Resampling.BICUBIC, expand=True, fillcolor=TABLE)


def _together(codes: Sequence[Code], rng: np.random.Generator) -> Image.Image:
    """In a grid over the frame, as large as they fit, at most as large as one alone."""
    width, height = FRAME_PX
    columns = math.ceil(math.sqrt(len(codes) * width / height))
    rows = math.ceil(len(codes) / columns)
    cell = min(width // columns, height // rows)
    frame = Image.new("L", FRAME_PX, TABLE)
    for number, code in enumerate(codes):
        picture = _held(code.picture(), rng)
        share = min(1.0, 0.95 * cell / max(picture.size))
        picture = picture.resize((round(picture.width * share), round(picture.height * share)), Image.Resampling.BOX)
        frame.paste(picture, (number % columns * (width // columns), number // columns * (height // rows)))
    return frame


def _noisy(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    noise = rng.standard_normal(picture.size[::-1], dtype=np.float32) * NOISE
    return Image.fromarray(np.clip(np.asarray(picture, dtype=np.float32) + noise, 0, 255).astype(np.uint8))


__all__ = ["BY_NAME", "SEVERAL", "WEAKNESSES", "Weakness", "seen"]
