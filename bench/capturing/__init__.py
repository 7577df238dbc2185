"""What a capture is made of: the file format, what is masked, and how each medium looks in it. The command: ``bench.capture``."""
