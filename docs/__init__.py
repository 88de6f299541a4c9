"""The manual, and the code that makes its pages."""
