"""The case: what is asked of a basin, in which years, under which rules and goals.

A case file is read with the place of every key and value.  Cases that extend others are merged,
``--set`` comes on top, and then everything is checked: keys, values, names in the basin, dates of
the record.  All faults of the case and of its basin are raised at once.
"""

from wateralloc.case.find import bundled_cases, bundled_folder
from wateralloc.case.keys import CaseKeys, DemandKeys, TimelineKeys, case_schema
from wateralloc.case.model import Case, build_case, record_of
from wateralloc.case.read import read_case

__all__ = [
    "Case",
    "CaseKeys",
    "DemandKeys",
    "TimelineKeys",
    "build_case",
    "bundled_cases",
    "bundled_folder",
    "case_schema",
    "read_case",
    "record_of",
]
