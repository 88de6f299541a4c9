"""Broken inputs, and the faults they must raise, word for word."""
