"""A clinic's software whose people are persons at a keyboard: each act is told on the terminal, and what comes of it is typed.

They are told in Chinese and English what to do, and type the code that the software shows, and what else is asked for. What no
person can type (a signed record, in bytes) is answered by an error, as an adapter does that has no such thing: the case is not
applicable. Of a person who is too late nothing is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.hands import Typist
from bench.hands_screen import Words
from bench.reach.program import Said
from conformance.tester import CannotShow
from virtual_devices.errors import LinkError
from virtual_devices.link import Outcome

TOLD = "desk.json"
"""What the software has to know is written there, beside the files for the connection."""
BYTES = "what it gives or takes is bytes, and nobody types them"
CANNOT = "the person at it says so"
CODE = ("The code that the software shows; Enter alone: it is done", "軟體顯示之代碼；已完成則只按 Enter")
NO_CODE = ("Enter once it is done", "完成後按 Enter")
DONE = "0"
_MORE: Mapping[str, tuple[str, str]] = {
    "identifier": ("The visit's identifier (20 characters) that it shows; Enter alone: none",
                   "所顯示之就醫識別碼（20 碼）；無則只按 Enter"),
    "sequence": ("The visit's sequence number that it shows; Enter alone: none", "所顯示之就醫序號；無則只按 Enter"),
    "abnormal": ("The abnormal situation that it records; Enter alone: none", "所記載之異常註記；無則只按 Enter"),
    "for_whom": ("Who came for whom: both card numbers; Enter alone: nothing", "所顯示之代理人與本人卡號；無則只按 Enter"),
    "text": ("How many it was; Enter alone: none", "共幾筆；無則只按 Enter"),
    "queue": ("How many records wait to be sent", "待上傳之筆數"),
    "done": ("How many records were sent", "已上傳之筆數"),
    "waiting": ("How many records wait for another institution's record", "等候他院紀錄之筆數"),
    "refused": ("How many records were set aside", "退件之筆數"),
    "rx_waiting": ("How many prescriptions wait to be sent", "待上傳之處方箋數"),
    "rx_done": ("How many prescriptions were sent", "已上傳之處方箋數"),
    "rx_refused": ("How many prescriptions were set aside", "退件之處方箋數"),
    "findings": ("Of those set aside, FIELD:CODE each, with spaces between; Enter alone: none",
                 "退件之「欄位:代碼」，以空格分隔；無則只按 Enter"),
}
_COUNTS = tuple(name for name in _MORE if name in ("queue", "done", "waiting", "refused", "rx_waiting", "rx_done", "rx_refused"))


@dataclass(frozen=True)
class Act:
    """One thing that is asked for. ``says``: what the person is told, in English and Chinese; ``more``: what is typed beside the
    code; ``code``: whether there is one."""

    says: Callable[[Mapping[str, Any]], tuple[str, str]]
    more: tuple[str, ...] = ()
    code: bool = True


def _says(en: str, zh: str, *more: str, code: bool = True) -> Act:
    return Act(lambda asked: (en.format_map(asked), zh.format_map(asked)), more, code)


def _visit(asked: Mapping[str, Any]) -> tuple[str, str]:
    ward, upload, fees, person = asked["how"] == "ward", asked["upload"], asked["fees"], _person(asked)
    said = [
        (f"Register a visit of type {asked['visit_type']}, treat the patient, and close it.",
         f"請掛號（就醫類別 {asked['visit_type']}）、看診並結束。"),
        ("A guardian holds a phone with a ward's card to the reader.", "代理人以手機出示受代理人之卡。") if ward else
        ("The card is in the reader, or nothing is.", "卡片在讀卡機中，或無卡片。"),
        ("The record is sent at once.", "紀錄即時上傳。") if upload else ("The record is kept, not sent yet.", "紀錄暫不上傳。"),
    ]
    if fees:
        told = ", ".join(f"{name} {value}" for name, value in fees.items())
        said.append((f"Fees: {told}.", f"費用：{told}。"))
    if asked["allergy"]:
        said.append((f"Allergy: {asked['allergy']}.", f"過敏：{asked['allergy']}。"))
    said.append((f"Without a card the patient says: {person}.", f"無卡片時病人自述：{person}。"))
    return " ".join(en for en, _ in said), "".join(zh for _, zh in said)


def _person(asked: Mapping[str, Any]) -> str:
    return "{id_no}, {birth_date}, {name}".format_map(asked["patient"])


def _correct(asked: Mapping[str, Any]) -> tuple[str, str]:
    return (f"Mend the first record that was set aside, and send it. The patient is {_person(asked)}.",
            f"請更正第一筆退件並重新上傳。病人為 {_person(asked)}。")


def _policy(asked: Mapping[str, Any]) -> tuple[str, str]:
    if asked["offline"]:
        return "From now on prescriptions without a line are allowed.", "此後允許離線開立處方箋。"
    return "From now on prescriptions without a line are not allowed.", "此後不允許離線開立處方箋。"


def _revoked(asked: Mapping[str, Any]) -> tuple[str, str]:
    numbers = " ".join(asked["serials"])
    return f"Certificates with these serial numbers are revoked; let it know: {numbers}", f"請登錄已廢止之憑證序號：{numbers}"


def _change(asked: Mapping[str, Any]) -> tuple[str, str]:
    en, zh = {"cancel": ("Cancel", "取消"), "restore": ("Restore", "恢復"), "amend": ("Amend", "修改")}[asked["what"]]
    return f"{en} the newest prescription.", f"請{zh}最新之處方箋。"


def _at_home(asked: Mapping[str, Any]) -> tuple[str, str]:
    says, who = bytes.fromhex(asked["identity"]).decode("ascii", "replace"), asked["professional"]
    return (f"At the patient's home, without a line: recognise and treat who has card {asked['card_no']}, which says {says}."
            f"{f' You are {who}.' if who else ''}",
            f"居家、離線：請辨識並看診，卡號 {asked['card_no']}，卡片載明 {says}。{f'由 {who} 到訪。' if who else ''}")


ACTS: Mapping[str, Act] = {
    "new": _says("Open the software anew, for a day on which nothing has happened: nothing waits to be sent. What it has to know "
                 "is in {file}.", "請重新開啟軟體，開始全新的一天：沒有待上傳之資料。所需設定在 {file}。", code=False),
    "upload": _says("Have it send what waits.", "請上傳待上傳之資料。"),
    "shelves": _says("Look how many records wait, were sent, and were set aside.", "請查看待上傳、已上傳與退件之筆數。",
                     *_COUNTS, "findings", code=False),
    "mistype": _says("In the record of the visit made last, write another year of birth.",
                     "請將最後一筆就醫紀錄之出生年改錯。", code=False),
    "correct": Act(_correct),
    "version": _says("From now on uploads are of format {version}.", "此後以 {version} 版格式上傳。", code=False),
    "policy": Act(_policy, code=False),
    "type": _says("When the software asks for it ({what}), type from now on: {text}",
                  "此後軟體要求時（{what}），請輸入：{text}", code=False),
    "revoked": Act(_revoked, code=False),
    "visit": Act(_visit, ("identifier", "sequence", "abnormal", "for_whom")),
    "certificates_over": _says("What the desk shows to phones has run out: it is to be fetched anew at the next phone.",
                               "出示予手機之憑證已逾期：下一次請重新取得。", code=False),
    "by_telephone": _says("A patient calls: ID number {id_no}, born {birth_date}. Register a visit by telephone.",
                          "病人來電：身分證號 {id_no}，生日 {birth_date}。請以電話就醫掛號。"),
    "change": Act(_change),
    "answer_doubts": _says("Answer the pharmacists' doubts that are there.", "請回覆藥師之疑義。", "text"),
    "take_along": _says("Take the data of the patient with card {card_no} along for a home visit, for {hours:g} hours.",
                        "請為卡號 {card_no} 之病人下載居家醫療資料，效期 {hours:g} 小時。"),
    "at_home": Act(_at_home, ("identifier",)),
}
"""Act -> what a person is told. Others are answered by :data:`BYTES`."""
_HEADS = {"new": ("NEW DAY", "新的一天"), "visit": ("VISIT", "看診"), "shelves": ("LOOK", "查看"), "upload": ("SEND", "上傳")}
_HEAD = "DESK", "櫃檯"


@dataclass
class PersonAtDesk:
    """The people, asked as a program is (:class:`bench.reach.program.Program`). ``folder``: where what they have to know goes."""

    hands: Typist
    person_s: float
    folder: Callable[[], Path]

    def ask(self, do: str, timeout_s: float, **more: Any) -> Said:
        """One act. ``timeout_s``, of a program, is none of theirs. Raises CannotShow when nobody did it in time, LinkError."""
        del timeout_s
        act = ACTS.get(do)
        if act is None:
            return Said(Outcome.REPLIED, 0, {"error": BYTES}, BYTES)
        asked = {**more, "file": self._told(more)} if do == "new" else more
        (head, zh_head), (en, zh) = _HEADS.get(do, _HEAD), act.says(asked)
        words = Words(head, en), Words(zh_head, zh)
        answer: dict[str, Any] = {}
        for name, prompt in [("code", CODE if act.code else NO_CODE), *((name, _MORE[name]) for name in act.more)]:
            said = self._typed(words, prompt)
            if said is None:
                return Said(Outcome.REPLIED, 0, {"error": CANNOT}, CANNOT)
            answer[name] = said
        return self._read(act, answer)

    def _typed(self, words: tuple[Words, Words], prompt: tuple[str, str]) -> str | None:
        try:
            return self.hands.typed(words, prompt, self.person_s)
        except TimeoutError:
            raise CannotShow(f"nobody did it at the software within {self.person_s:g} s", open=True) from None

    def _read(self, act: Act, answer: dict[str, Any]) -> Said:
        if act.code:
            answer["code"] = answer["code"] or DONE
        else:
            del answer["code"]
        for name in act.more:
            if name in _COUNTS:
                if not re.fullmatch("[0-9]{1,6}", answer[name]):
                    return Said(Outcome.REPLIED, 0, {"error": CANNOT}, CANNOT)
                answer[name] = int(answer[name])
            elif name == "findings":
                answer[name] = answer[name].split()
        return Said(Outcome.REPLIED, 0, answer)

    def _told(self, told: Mapping[str, Any]) -> Path:
        path = self.folder() / TOLD
        try:
            path.write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")
        except OSError as e:
            raise LinkError(f"{path} cannot be written: {e.strerror or e}") from e
        return path



__all__ = ["ACTS", "BYTES", "PersonAtDesk", "TOLD"]
