"""Draws the portraits that the bench's people have (nobody's face): ``python docs/images/make_portraits.py FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFilter

SIZE = (300, 400)
HAIR = {"M": ((40, 34, 30), 60), "F": ((56, 38, 30), 130)}
AGES = {"young": 1.0, "old": 0.35}


def portrait(sex: str, age: str) -> Image.Image:
    """A head and shoulders before a light wall, with the grain of a camera so that the file has a photograph's size."""
    grain = Random(f"{sex}/{age}")
    image = Image.new("RGB", SIZE, (226, 232, 238))
    draw = ImageDraw.Draw(image)
    (red, green, blue), length = HAIR[sex]
    dark = AGES[age]
    hair = tuple(round(190 + (part - 190) * dark) for part in (red, green, blue))
    skin = (228, 190, 160)
    draw.ellipse((82, 60, 218, 250 + length // 2), fill=hair)
    draw.rectangle((125, 240, 175, 320), fill=(214, 174, 146))
    draw.pieslice((30, 290, 270, 560), 180, 360, fill=(70, 92, 120) if sex == "M" else (122, 78, 96))
    draw.ellipse((95, 90, 205, 260), fill=skin)
    draw.pieslice((88, 62, 212, 190), 180, 360, fill=hair)
    for x in (128, 172):
        draw.ellipse((x - 8, 160, x + 8, 172), fill=(250, 250, 250))
        draw.ellipse((x - 4, 161, x + 4, 171), fill=(40, 30, 26))
        draw.arc((x - 13, 142, x + 13, 164), 200, 340, fill=hair, width=4)
    draw.line((150, 170, 145, 200, 154, 202), fill=(200, 158, 130), width=3)
    draw.arc((130, 205, 170, 232), 20, 160, fill=(176, 96, 92), width=4)
    image = image.filter(ImageFilter.GaussianBlur(1.2))
    pixels = image.load()
    for y in range(SIZE[1]):
        for x in range(SIZE[0]):
            shift = round(grain.gauss(0, 5))
            pixels[x, y] = tuple(max(0, min(255, part + shift)) for part in pixels[x, y])
    return image


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for sex in HAIR:
        for age in AGES:
            portrait(sex, age).save(folder / f"portrait_{sex.lower()}_{age}.jpg", quality=55, optimize=True)
