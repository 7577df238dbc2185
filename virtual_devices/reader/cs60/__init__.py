"""Control software 6.0 on the desk (讀卡機控制軟體 6.0): its 18 local calls, and the envelope that it signs."""

from virtual_devices.reader.cs60.local import LocalComponent, answer, endpoints

__all__ = ["LocalComponent", "answer", "endpoints"]
