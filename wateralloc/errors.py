"""Errors and findings.

One tree of exceptions, and :class:`Findings`, which collects every fault of an input before it is
raised once.  A fault names where (file:line:column), a stable code, what is wrong, what should be
and what to do.  Codes are never reused; :data:`CODES` lists them all.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

CODES = {
    "E101": "file is missing",
    "E102": "path is a directory where a file is expected, or a file where a directory is expected",
    "E103": "file is empty",
    "E104": "file is not UTF-8 text",
    "E105": "file cannot be parsed (YAML or CSV)",
    "E106": "duplicate key in a YAML file",
    "E107": "file format is not supported, or needs an optional package",
    "E108": "file cannot be read",
    "E109": "folder is not a result, or holds other files",
    "E201": "unknown column",
    "E202": "required column or value is missing",
    "E203": "number is outside its range",
    "E204": "value is not a number (text, NaN, infinity, a thousands separator)",
    "E205": "value is not one of the choices",
    "E206": "duplicate name",
    "E207": "dimensional column has no unit",
    "E208": "unit does not fit the quantity",
    "E209": "row has too many or too few cells",
    "E210": "name is not a valid identifier",
    "E211": "reference to something that does not exist",
    "E212": "duplicate column",
    "E213": "value is not a date, or a date of the year is not MM-DD",
    "E214": "unknown file or table in the basin folder",
    "E221": "curve is not monotone",
    "E222": "curve is missing or does not cover the asked range",
    "E223": "pattern is missing, or its unit does not fit",
    "E224": "value is given more than once: in a table and in a series, in two series or tables",
    "E225": "benefit of water is not concave, or its blocks do not follow each other",
    "E231": "series has gaps or its dates are not a regular calendar step",
    "E232": "series does not cover the horizon",
    "E241": "storages contradict each other",
    "E242": "demand has no volume, or more than one",
    "E243": "return flow has no node, or weights do not add up to 1",
    "E244": "source of a demand contradicts itself",
    "E245": "crop demand lacks its area or requirement, or has what is for another kind of demand",
    "E251": "node is not connected",
    "E252": "water cannot leave a node",
    "E253": "links form a cycle in which water could circle for nothing",
    "E254": "link joins a node to itself",
    "E255": "links leave a sink, or a node has the wrong kind",
    "E261": "hydropower plant is wrong or incomplete",
    "E262": "curves of a plant cross, or its output curve is not concave",
    "E263": "travel time of a link contradicts itself, or is too long for the periods",
    "E264": "split of the river names a wrong link, or shares cannot be met together",
    "E265": "ratings hold in the same years, or have no level by flow",
    "E266": "aquifer: node, storages or depletion of a stream contradict each other",
    "E267": "element of a work is not one link or one reservoir, or belongs to two works",
    "E268": "flows of an intake contradict each other, or a node has two intakes",
    "E269": "zones of a reservoir do not rise from dead to normal storage",
    "E301": "unknown key in a case or basin file",
    "E302": "required key is missing",
    "E303": "value is not valid",
    "E304": "cases extend each other in a circle",
    "E305": "case or basin cannot be found",
    "E311": "unknown rule",
    "E312": "unknown goal",
    "E313": "name in a rule or goal does not exist in the basin",
    "E314": "user's rule cannot be loaded or failed",
    "E315": "quantity is unknown",
    "E317": "level has no rating, or is outside it",
    "E318": "work is unknown, or dated after the horizon",
    "E319": "claimant of a sharing rule is unknown, claims twice, or stands in no class",
    "E320": "natural flow at a node cannot be known",
    "E321": "hydrology does not fit the timeline or the record",
    "E322": "table of an index cannot be kept in a linear program, or contradicts itself",
    "E323": "user has two holders of an entitlement, or a trade names one that is not there",
    "E324": "history or account before the horizon does not fit the rule",
    "E325": "price cap of a trade needs what water is worth to each user",
    "E326": "limit by storage bends the wrong way for a linear program, or falls below zero",
    "E327": "rule finds nothing to hold at the places it names",
    "E328": "plan does not fit the quantity that follows it",
    "E329": "penalty of a soft rule has no goal that can count it",
    "E332": "decisions of yes or no are not allowed in the case",
    "E333": "deeper stage of a drought cuts less",
    "E334": "windows of a rule contradict each other",
    "E335": "windows of a rule do not fit the periods of the case",
    "E336": "flow that a decision of yes or no goes by has no limit",
    "E341": "policies to compare differ in basin, timeline or members",
    "E342": "difference cannot be divided over clauses: not between two cases",
    "E343": "clauses of one case cannot be met with the other clauses of another",
    "E344": "clauses of one case make no case with the other clauses of another",
    "E350": "record has too few years to make synthetic members from, or no inflow",
    "E355": "file of arcs lacks a column, or a node of it has no month",
    "E356": "bounds of an arc cannot be kept in a basin",
    "E357": "arc joins what only time can join",
    "E358": "amplitude of an arc is out of range, or changes",
    "E359": "arc stands twice, or is limited in some months only",
    "E360": "members cannot be solved each by itself",
    "E361": "folder holds members of an ensemble with other settings or code",
    "E362": "folder of an ensemble is in use",
    "E363": "every worker that was given a member died",
    "E364": "worker has another version of the package",
    "E365": "scheduler cannot be reached, or has no workers",
    "E366": "values of a sweep are missing or given twice",
    "E367": "only perfect foresight starts from a reference",
    "E370": "quantity cannot be decided before the hydrology is known: it is given, or not linear",
    "E371": "decisions of two_stage reach beyond the horizon",
    "E372": "decisions of yes or no cannot be made for all members of two_stage",
    "E373": "goal cannot be optimised over all members of two_stage at once",
    "E375": "record has too few years to forecast from",
    "E376": "file of forecasts lacks one that a window looks at",
    "E377": "day of a forecast is no first day of a period, or after the period it is of",
    "E378": "forecast needs the inflow of nodes to be a series",
    "E379": "forecast is given twice",
    "E380": "what is to be explained is not in the case",
    "E381": "shortage cannot be explained without the whole horizon in one program",
    "E382": "input of a result is missing",
    "E383": "input of a result is not as it was",
    "E384": "result does not tell how it came about, or the case has no such member any more",
    "E385": "results are not those that the same inputs give",
    "E386": "members that do not see the whole horizon cannot be mended",
    "E387": "no amount by which limits give way mends a member",
    "E388": "member has no solution although its limits gave way",
    "E390": "statistic of a table is unknown, or is one over members that the table keeps apart",
    "E391": "ending of a table's file is none that tables are written in",
    "E392": "formula in a workbook has no stored value",
    "E393": "cell of a workbook holds an error, or a time of day, where no table has one",
    "E394": "basin cannot be kept in a workbook or in one NetCDF file",
    "E402": "infeasible",
    "E403": "unbounded",
    "E404": "solver failed",
    "E405": "optimum could not be certified",
}


class WaterAllocError(Exception):
    """Base of all errors of the package; `exit_code` is what the command line returns."""

    exit_code = 1


class InputError(WaterAllocError):
    """Faults in the input; `faults` lists them all, sorted by file and line."""

    exit_code = 2

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Fault, ...]]]:
        # as it is sent from one process to another
        return type(self), (self.faults,)


class TableError(InputError):
    """Faults in the tables of a basin."""


class CaseError(InputError):
    """Faults in a case file."""


class TopologyError(InputError):
    """Faults in how nodes and links hang together."""


class ModelError(WaterAllocError):
    """The formulation was used in a way it does not support (a fault of code, not of data)."""


class SolveError(WaterAllocError):
    """The solver failed."""

    exit_code = 4


class Infeasible(SolveError):
    """No allocation meets every hard limit; the text says which limits contradict each other."""

    exit_code = 3


class Uncertified(SolveError):
    """The solver's answer did not pass the independent certificate, also after a cold solve."""


@dataclass(frozen=True, order=True)
class Position:
    """Where something stands: file, line and column (1-based; 0 when not known).

    Examples
    --------
    >>> print(Position("demands.csv", 14, 3), Position("basin.xlsx:demands", 14, 3, is_cell=True))
    demands.csv:14:3 basin.xlsx:demands!C14
    """

    file: str
    line: int = 0
    column: int = 0
    is_cell: bool = False

    def __str__(self) -> str:
        text = self.file
        if self.line and self.is_cell:
            text += f"!{_letters(self.column or 1)}{self.line}"
        elif self.line:
            text += f":{self.line}"
            if self.column:
                text += f":{self.column}"
        return text


def _letters(column: int) -> str:
    """Name of a column of a spreadsheet, from its number.

    >>> [_letters(column) for column in (1, 26, 27, 703)]
    ['A', 'Z', 'AA', 'AAA']
    """
    text = ""
    while column:
        column, letter = divmod(column - 1, 26)
        text = chr(ord("A") + letter) + text
    return text


@dataclass(frozen=True, order=True)
class Fault:
    """One fault: its position, code and text."""

    at: Position
    code: str
    text: str

    def __str__(self) -> str:
        return f"{self.at}: {self.code} {self.text}"


class Findings:
    """Collects faults and raises them all at once."""

    def __init__(self) -> None:
        self.faults: list[tuple[Fault, type[InputError]]] = []

    def add(self, at: Position, code: str, text: str, kind: type[InputError] = TableError) -> None:
        if code not in CODES:
            raise ModelError(f"error code {code} is not declared")
        self.faults.append((Fault(at, code, text), kind))

    def __bool__(self) -> bool:
        return bool(self.faults)

    def raise_if_any(self) -> None:
        """Raise one error with every fault, sorted by file and line.

        Raises
        ------
        InputError
            `TableError`, `CaseError` or `TopologyError` when all faults are of that kind.
        """
        if not self.faults:
            return
        kinds = {kind for _, kind in self.faults}
        error = kinds.pop() if len(kinds) == 1 else InputError
        raise error(sorted({fault for fault, _ in self.faults}))


def suggest(word: str, choices: Iterable[str]) -> str:
    """Name the closest choice, as the tail of a sentence.

    >>> suggest("anual_quota", ["annual_quota", "other"])
    "; did you mean 'annual_quota'?"
    >>> suggest("x", ["annual_quota"])
    ''
    """
    near = difflib.get_close_matches(str(word), [str(c) for c in choices], n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


def or_do(hint: str, todo: str) -> str:
    """A hint from :func:`suggest`; without one, what to do in its place."""
    return hint or f"; {todo}"


def listed(words: Iterable[object], most: int = 12) -> str:
    """Join words for a message, shortened when there are many."""
    texts = [str(word) for word in words]
    tail = f", ... ({len(texts)} in all)" if len(texts) > most else ""
    return ", ".join(texts[:most]) + tail


BUNDLES = (".xlsx", ".nc")
"""Endings of files that hold a whole folder of tables."""


def shown(path: Path | str) -> str:
    """Return a path as the user would write it: relative where it is below the working folder.

    A table within a file that holds several is ``basin.xlsx:demands``.
    """
    path = Path(path)
    for whole in path.parents:
        if whole.suffix.lower() in BUNDLES and whole.is_file():
            return f"{shown(whole)}:{sheet_name(path.relative_to(whole))}"
    try:
        return path.resolve().relative_to(Path.cwd().resolve()).as_posix()
    except ValueError:
        return path.as_posix()


def sheet_name(path: Path) -> str:
    """Name that a table, by its path in the folder of its basin, has in a file of several.

    >>> sheet_name(Path("demands.csv")), sheet_name(Path("series/inflow_m3s.csv"))
    ('demands', 'series.inflow_m3s')
    """
    bare = path.with_suffix("") if path.suffix in (".csv", ".yaml") else path
    return ".".join(bare.parts)
