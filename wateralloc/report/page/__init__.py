"""Pages that are looked at: one file with text, tables and charts, that opens without a network."""
