"""What a self-check tells: how many faults were found, which case found which, by family, and which cases found none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.conform_words import over, words_of
from bench.self_check import Checked, Kill, all_mutants
from conformance.case import Kind, cases
from conformance.kinds import suites
from conformance.mutants.remembered import Memory, file_of, key, remembered
from reports.self_check import FAMILIES, page
from reports.wording import Wording
from virtual_devices.errors import UsageError

MATRIX, PAGE = "self-check.json", "self-check.html"
_OF_100 = 98
"""Of so many faults in a hundred that somebody could find, a suite that is good enough finds one hundred less two."""


def summary(checked: Checked) -> dict[str, Any]:
    """``{"mutants": N, "caught": K, "survivors": [...]}``, and

    ``equivalent``: mutant -> why nobody can find it; ``families``: name -> mutants, caught, equivalent; ``matrix``: case ->
    family -> the mutants that it found first; ``second``: case that found none first -> one that it finds too; ``idle``: case
    that finds none -> why it stays; ``enough``: so much is found as :data:`_OF_100` says.
    """
    kills = checked.kills
    equivalent = {kill.name: kill.why for kill in kills if kill.why}
    families: dict[str, dict[str, int]] = {}
    matrix: dict[str, dict[str, list[str]]] = {}
    for kill in kills:
        family = kill.mutant.family.value
        counted = families.setdefault(family, {"mutants": 0, "caught": 0, "equivalent": 0})
        counted["mutants"] += 1
        counted["caught"] += bool(kill.case)
        counted["equivalent"] += bool(kill.why)
        if kill.case:
            matrix.setdefault(kill.case, {}).setdefault(family, []).append(kill.name)
    caught = sum(bool(kill.case) for kill in kills)
    return {
        "bench": f"vhc-bench {version('vhc-bench')}", "kinds": sorted({kill.kind.value for kill in kills}),
        "mutants": len(kills), "caught": caught, "survivors": sorted(kill.name for kill in kills if kill.survives),
        "equivalent": equivalent, "families": families, "matrix": matrix,
        "second": {case: mutant for case, mutant in checked.second.items() if mutant}, "idle": checked.idle(),
        "enough": caught * 100 >= (len(kills) - len(equivalent)) * _OF_100,
    }


def killed(kill: Kill, wording: Wording) -> str:
    """One fault, and what became of it. What the fault is, its name says; in a sentence there is it in English alone."""
    words = wording.words
    if kill.case:
        how = words.say("{case} over {channel}", case=kill.case, channel=over(words, kill.channel))
    else:
        how = words.say("equivalent: {why}", why=wording.plain(kill.why)) if kill.why else words.say("SURVIVES")
    name = kill.name if words.chinese else f"{kill.name}  {kill.mutant.what}"
    return words.say("{name}: {says}", name=name, says=how)


def tell(told: Mapping[str, Any], wording: Wording) -> str:
    """For a terminal."""
    words = wording.words
    lines = [words.say("{family}: {caught} of {mutants} found, {equivalent} equivalent", family=words.say(FAMILIES[family]), **n)
             for family, n in sorted(told["families"].items())]
    lines += [words.say("SURVIVES  {name}", name=name) for name in told["survivors"]]
    lines += [words.say("finds nothing  {case}: {why}", case=case,
                        why=wording.plain(why) if why else words.say("NOBODY SAYS WHY IT STAYS"))
              for case, why in sorted(told["idle"].items())]
    lines.append(words.say(
        "{mutants} faults, {caught} found, {equivalent} equivalent, {left} left", mutants=told["mutants"], caught=told["caught"],
        equivalent=len(told["equivalent"]), left=len(told["survivors"]),
    ))
    return "\n".join(lines)


def write_matrix(told: Mapping[str, Any], folder: Path, language: str = "en") -> Path:
    """The path of the page; the same as JSON beside it. Raises UsageError."""
    path = folder / PAGE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        (folder / MATRIX).write_text(text, encoding="utf-8")
        path.write_text(page(told, *words_of(language)), encoding="utf-8", newline="\n")
    except OSError as e:
        raise UsageError(f"--out {folder}: cannot be written: {e.strerror or e}") from None
    return path


def remember_killers(kind: Kind, checked: Checked) -> Path:
    """What was found of a kind, into the source tree: in place of what was known of the same, beside what is known of others.
    Raises UsageError where there is no source tree."""
    path = Path(str(file_of(kind)))
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_text(memory(remembered(kind), kind, checked).to_json(), encoding="utf-8")
    except OSError as e:
        raise UsageError(f"--remember: {path} cannot be written: {e.strerror or e}") from None
    return path


def memory(before: Memory, kind: Kind, checked: Checked) -> Memory:
    """What is known of a kind now; without the faults and cases that are no more."""
    keys = {mutant.id: key(mutant) for mutant in all_mutants(suites()[kind])}
    names = {case.id for case in cases()}
    first = {**before.first, **{key(kill.mutant): (kill.case, kill.channel) for kill in checked.kills if kill.case}}
    second = {**before.second, **{case: keys[mutant] for case, mutant in checked.second.items() if mutant}}
    faults = set(keys.values())
    return Memory(
        {fault: where for fault, where in first.items() if fault in faults and where[0] in names},
        {case: fault for case, fault in second.items() if fault in faults and case in names},
    )


__all__ = ["MATRIX", "PAGE", "killed", "memory", "remember_killers", "summary", "tell", "write_matrix"]
