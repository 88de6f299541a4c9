"""Tests of wateralloc."""
