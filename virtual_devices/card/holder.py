"""People who never lived: holders for the bench's cards, made from a random stream.

ID numbers follow the public rule of the national ID (a letter, nine digits, a weighted check digit), names come from a
short list whose characters are all in plain Big5. Any likeness to a person is chance: nothing here is looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

_SURNAMES = "陳林黃張李王吳劉蔡楊許鄭謝郭洪曾邱廖賴周徐蘇葉莊呂江何蕭羅高"
_GIVEN = "志明淑芬俊傑雅婷建宏美玲家豪怡君冠宇佩珊文雄麗華宗翰秀英承恩心怡國榮惠雯"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVXYWZIO"  # the order of their two-digit values, from 10


@dataclass(frozen=True, slots=True)
class Holder:
    """What a card says of its holder. ``sex`` is M or F; the birth date is of the Western calendar."""

    name: str
    id_no: str
    birth_date: date
    sex: str

    @property
    def birth_roc(self) -> str:
        """``YYYMMDD`` in the ROC calendar."""
        b = self.birth_date
        return f"{b.year - 1911:03d}{b.month:02d}{b.day:02d}"


def id_number(letter: str, sex: str, serial: int) -> str:
    """A national ID number (國民身分證統一編號) with its check digit. ``serial``: seven digits."""
    body = f"{1 if sex == 'M' else 2}{serial:07d}"
    value = _LETTERS.index(letter) + 10
    total = value // 10 + value % 10 * 9 + sum(int(d) * w for d, w in zip(body, range(8, 0, -1), strict=True))
    return f"{letter}{body}{-total % 10}"


def make_holder(rng: Random, on: date) -> Holder:
    """A holder between 1 and 94 years old on the given day, with more older ones, as in a waiting room."""
    sex = rng.choice("MF")
    age_days = int(365.25 * rng.triangular(1, 94, 62))
    name = rng.choice(_SURNAMES) + "".join(rng.sample(_GIVEN, 2))
    return Holder(name, id_number(rng.choice(_LETTERS), sex, rng.randrange(10_000_000)), on - timedelta(days=age_days), sex)
