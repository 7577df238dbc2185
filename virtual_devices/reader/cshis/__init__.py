"""The control software for readers (讀卡機控制軟體) with the field's own calls, buffers and codes."""

from virtual_devices.reader.cshis.face import Counter, CsHis
from virtual_devices.reader.cshis.interface import FUNCTIONS, Argument, Function
from virtual_devices.reader.cshis.software import perform
from virtual_devices.reader.cshis.state import ControlSoftware, FrequentVisits, ReaderUnit, Reply, Right

__all__ = [
    "FUNCTIONS", "Argument", "ControlSoftware", "Counter", "CsHis", "FrequentVisits", "Function", "ReaderUnit", "Reply", "Right",
    "perform",
]
