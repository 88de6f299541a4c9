"""Networks of other programs, turned into basins and cases: one program a file."""
