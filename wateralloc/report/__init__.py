"""Reports: what people read of results."""
