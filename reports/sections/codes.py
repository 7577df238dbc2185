"""The return codes that the run met, with the field's own words for them."""

from __future__ import annotations

from reports.blocks import Block, Cell, Column, Section, Table, chinese, data, number, text
from reports.fieldcodes import SPACES, explain, explain_status, status_word
from reports.run import Run
from reports.terms import word

NAME = "codes"
Line = tuple[str, str, int, tuple[str, ...]]  # whose, code, how often, spaces of a bare code; none: a chip's status word
_FINE = frozenset({"", "0", "0000", "9000", "61XX"})
_CALLS = ("cshis", "vhc")  # a visit is decided by a call of the control software, never by an upload
_CARD_ROLES = frozenset({"card", "sam", "hpc", "wallet"})


def make(run: Run) -> Section:
    visits = run.sql(
        "SELECT code, outcome, count(*) FROM visits WHERE code NOT IN ('', '0', '0000') GROUP BY code, outcome ORDER BY "
        "count(*) DESC, code, outcome"
    )
    statuses = run.sql(
        "SELECT role, CASE WHEN status LIKE '61__' AND role <> 'cloud' THEN '61XX' ELSE status END AS status, count(*) FROM "
        "exchanges WHERE status <> '' GROUP BY ALL ORDER BY role, count(*) DESC, "
        "status"
    )
    blocks: list[Block] = []
    if visits:
        blocks.append(
            _table(
                run,
                run.say("Codes that visits ended with"),
                run.say("Visit ended"),
                [(str(o), str(c), int(n), _CALLS) for c, o, n in visits],
            )
        )
    if statuses:
        # a status word of a card is not a return code of the control software, though both can be four digits
        lines: list[Line] = [(role, status, n, () if role in _CARD_ROLES else SPACES) for role, status, n in statuses]
        blocks.append(_table(run, run.say("Status words and return codes in exchanges"), run.say("Role"), lines))
    return Section(NAME, run.say("Return codes seen"), _finding(run, visits, [s for _, s, _ in statuses]), blocks)


def _finding(run: Run, visits: list[tuple[str, str, int]], statuses: list[str]) -> str:
    if not visits:
        odd = len(set(statuses) - _FINE)
        return run.say_n(
            "No visit ended with a code; exchanges met {n} status other than success.",
            "No visit ended with a code; exchanges met {n} kinds of status other than success.",
            odd,
        )
    code, _, n = visits[0]
    known = explain(code, _CALLS)
    return run.say(
        "The code met most often at the end of a visit is {code} ({meaning}), {n} times.",
        code=code,
        meaning=known.meaning(run.words) or run.say("meaning unknown"),
        n=f"{n:,}",
    )


def _table(run: Run, caption: str, first: str, lines: list[Line]) -> Table:
    body: list[list[Cell]] = []
    for owner, code, n, spaces in lines:
        known = explain(code, spaces) if spaces else explain_status(code)
        bare = code.partition(":")[2] or code
        own = "" if known.en else run.say(status_word(bare))
        official = [] if run.words.chinese else [chinese(known.zh or "–")]
        body.append(
            [
                word(run.words, owner),
                Cell(bare, data=True, style="code", detail="" if known.code == bare else known.code),
                data(known.space or "–"),
                text(own) if own else data(known.meaning(run.words) or "–"),
                *official,
                word(run.words, known.certainty),
                number(f"{n:,}"),
            ]
        )
    return Table(
        caption,
        (
            Column(first),
            Column(run.say("Code")),
            Column(run.say("Space")),
            Column(run.say("Meaning")),
            *([] if run.words.chinese else [Column(run.say("Official text"))]),
            Column(run.say("Certainty")),
            Column(run.say("Times"), True),
        ),
        body,
    )
