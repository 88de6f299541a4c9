"""The page that lays results on the Red River beside what was recorded.

``python -m docs.validation`` (or ``make validation``) writes ``red_river.md`` and its figures anew;
they are kept in the repository, so that the page reads without a run.
"""
