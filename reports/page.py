"""The page: all sections with their figures, one style sheet, the fonts, one file."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from html import unescape
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports import fonts, gallery, palette
from reports.blocks import Section
from reports.catalogue import Catalogue
from reports.picture import Styles
from reports.run import Run
from reports.sections import (
    ble_map,
    codes,
    faults,
    headline,
    latency,
    laws,
    method,
    morning,
    nfc_map,
    prescriptions,
    provenance,
    qr_map,
    requirements,
    segments,
    settings,
    switches,
    uploads,
)

TEMPLATES = Path(__file__).parent / "templates"
ORDER = (
    headline, morning, prescriptions, latency, segments, nfc_map, ble_map, qr_map, uploads, faults, switches, provenance, laws,
    codes, requirements, settings, method,
)


@cache
def environment() -> Environment:
    """Jinja with escaping always on: what a device or a scenario says of itself is text, never markup."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


@dataclass(frozen=True)
class Head:
    """What stands above the sections. ``title`` and ``description`` are of what is reported on, not texts of ours."""

    kicker: str
    title: str
    description: str
    disclaimer: str


def render(run: Run) -> str:
    """The whole page of a run as HTML."""
    styles = Styles()
    real = run.say("Real devices took part; their rows are marked.") if run.real else run.say("No real device took part.")
    made_by = run.say("Made by a test bench. Not the insurance administration's specification, and not its certificate.")
    head = Head(
        run.say("Virtual NHI card bench, report of a run"), str(run.manifest.get("title", "")),
        str(run.manifest.get("description", "")), run.words.sentences(made_by, real),
    )
    return document(head, _sections(run, styles), run.words, styles)


def document(head: Head, sections: list[Section], words: Catalogue, styles: Styles) -> str:
    """A page of these sections as HTML, with the fonts that it needs."""
    body = environment().get_template("body.html.jinja").render(head=head, sections=sections, say=words.say, markup=Markup)
    css = _css(body, styles)
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; font-src data:; base-uri 'none'; form-action 'none'"
    return (
        environment()
        .get_template("page.html.jinja")
        .render(language=words.language, title=head.title, policy=policy, css=Markup(css), body=Markup(body))
        + "\n"
    )


def _sections(run: Run, styles: Styles) -> list[Section]:
    """The sections in their order, each with its figures before its tables; figures without a place come in one of their own."""
    figures = gallery.found()
    sections = []
    for module in ORDER:
        made = module.make(run)
        if module in (prescriptions, segments, nfc_map, ble_map, qr_map) and not made.blocks:  # a run without any
            continue
        own = [gallery.hang(f, run, styles) for f in figures if f.section == made.name]
        sections.append(Section(made.name, made.title, made.finding, [*own, *made.blocks], made.mood))
    placed = {module.NAME for module in ORDER}
    further = [gallery.hang(f, run, styles) for f in figures if f.section not in placed]
    if further:
        finding = run.say_n("{n} more figure.", "{n} more figures.", len(further))
        sections.insert(-2, Section(gallery.FURTHER, run.say(gallery.FURTHER_TITLE), finding, list(further)))
    return sections


def _css(body: str, styles: Styles) -> str:
    """Fonts, colours, the style sheet and the figures' classes. ``</`` cannot occur in it: nothing of the run is in it."""
    text = unescape(re.sub(r"<[^>]*>", "", body)) + "".join(re.findall(r'content:\s*"([^"]*)"', _sheet()))
    heads = "".join(
        unescape(re.sub(r"<[^>]*>", "", h))
        for h in re.findall(r'<(?:h1|h2|h3|p class="finding|p class="value)[^>]*>(.*?)</', body, re.DOTALL)
    )
    return (
        fonts.faces(text, heads)
        + ":root{"
        + palette.variables(dark=False)
        + "}@media screen and (prefers-color-scheme:dark){:root{"
        + palette.variables(dark=True)
        + "}}"
        + _sheet()
        + styles.css()
    )


@cache
def _sheet() -> str:
    return (TEMPLATES / "style.css").read_text(encoding="utf-8")
