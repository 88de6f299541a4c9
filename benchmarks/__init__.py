"""Benchmarks: a module with ``run(full: bool) -> dict`` is one, and is found by its being here."""
