"""Pure functions of sharing."""
