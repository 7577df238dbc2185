"""One file a medium, towards somebody else's reader or software: our reference device presented.

A presenter is a :class:`~bench.presenters.serve.Transport` (a medium seen from the device) and a class with ``run()`` and
``stop()`` that keeps :func:`~bench.presenters.serve.serve` going over it, so that rows, the control channel and the exchange of
the presented device are the same over every medium.
"""
