"""The rules of checking, a subject a file. Each file has ``CODES``, a :class:`~virtual_devices.uploads.rules.Rulebook`."""
