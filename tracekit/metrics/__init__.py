"""Trace and run tables → one long metric table. `catalog` says what each metric is, `measure` fills it in."""
