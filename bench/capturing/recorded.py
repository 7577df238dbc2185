"""Frames as they were recorded, with what may not be shown of their messages masked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bench.capturing import lower
from bench.capturing.masking import FILL
from virtual_devices.link import Layer
from virtual_devices.trace import FrameRow


class _Shown:
    """One direction: the parts of a message that frames bring are found again in it, one after the other."""

    def __init__(self, message: bytes | None, shown: bytes | None, *, keep: bool) -> None:
        self._message, self._shown = message or b"", shown or b""
        self._keep = keep
        self._at = 0
        self._last: tuple[bytes, bytes] = (b"", b"")

    def part(self, frame: FrameRow) -> bytes:
        """The frame as it may be seen. One that came twice is seen twice; what is not found in the message is masked."""
        head, part = frame.data[: frame.head_bytes], frame.data[frame.head_bytes :]
        if not part:
            return head
        if frame.data == self._last[0]:  # repeated
            return self._last[1]
        seen = FILL * len(part)
        if self._message[self._at : self._at + len(part)] == part:
            seen = self._shown[self._at : self._at + len(part)]
            self._at += len(part)
        elif self._keep:
            seen = part
        self._last = (frame.data, head + seen)
        return head + seen


def frames(
    noted: Iterable[FrameRow], asked: tuple[bytes, bytes], answered: tuple[bytes | None, bytes | None], *, keep: bool,
) -> Iterator[tuple[int, bytes]]:
    """Nanoseconds since the exchange began, and the frame with the head of its link type. ``asked``, ``answered``: the message,
    and what may be seen of it. ``keep``: of an answer that never became whole, too; what was sent may hold a PIN."""
    sent, met = _Shown(*asked, keep=False), _Shown(*answered, keep=keep)
    for frame in noted:
        seen = (sent if frame.sent else met).part(frame)
        if frame.layer == Layer.ATT.value:
            yield frame.after_ns, lower.att(lower.TO_PHONE if frame.sent else lower.FROM_PHONE, seen)
        else:
            yield frame.after_ns, lower.iso14443(lower.TO_CARD if frame.sent else lower.FROM_CARD, seen)


__all__ = ["frames"]
