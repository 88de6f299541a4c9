"""``python -m docs.validation``: write the page and its figures anew."""

from docs.validation import page

page.write()
