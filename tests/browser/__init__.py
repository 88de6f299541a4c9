"""Pages that are looked at in a real browser, without a window."""
