"""python: the user's own rule, a function that adds rows, variables and terms to the period."""

from __future__ import annotations

import importlib.util
import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyomo.environ as pyo
from pydantic import Field, ValidationInfo, field_validator
from pyomo.repn import generate_standard_repn

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import CaseError, Fault, Position, listed, shown, suggest
from wateralloc.parts import unit
from wateralloc.rules import Rule

PLAIN = (pyo.Constraint, pyo.Var, pyo.Param, pyo.Set, pyo.Expression, pyo.Block)
"""What a function may add; any other component would have no effect."""
UNITS = {"hm3": "hm3", "1": "1", "m3/s": "m3s", "km2": "km2", "m": "m", "GWh": "GWh"}
"""Units that a variable may carry, and how results write them."""


class Python(Rule):
    """Apply a rule of your own, written in Python.

    The function is called once, with the model of one period `m`, the case, and the `arguments` of
    the clause: ``def my_rule(m, case, share)``.  What it adds to `m` repeats in every period and
    member by itself.  Volumes are hm3 of the period.

    Rows: a Pyomo constraint on `m` is a row of the rule, with the limit on the right, as in
    ``m.my_row = pyo.Constraint(expr=m.flow["a_to_b"] >= 5)``.  Rows are listed with what they asked
    and what came of it, have prices, and may be `soft`.  A row holds in every period;
    ``m.repeats.total(m.my_row, case.timeline.window("year"))`` lets it hold for the sum of a year.

    Data: numbers by period are a Param with an array (time) or (member, time), as in
    ``pyo.Param(initialize=array, mutable=True, within=pyo.Any)``.

    Variables: a continuous ``pyo.Var`` gets a column in every period, is reported in
    ``accounts.csv``, and repeats as its note says.  ``m.repeats.carry(start, end, initial=10)``
    makes `start` what `end` was a period ago; ``m.repeats.share(peak, window)`` gives a window one
    value.  A variable ``within=pyo.Binary`` is a decision of yes or no, which the case must allow
    (``integers: true``, ``linearisation: fixed``).

    Workings: what only defines these variables, as the balance of an account, stands on
    ``m.workings``.  It may be an equality, is no row of the rule, and is never soft; so each such
    row must have a variable of a rule in it, or it would limit the basin unseen.

    Terms: the function may return linear expressions by name, ``{"fee": expression}``, or with a
    unit, ``{"hours": (expression, "h")}``; without one it is hm3.  Terms are reported, and a goal
    may take a term, or a variable, as ``RULE.NAME``: ``minimise: my_rule.fee``.

    A function with a parameter `rule` is given the clause itself: ``rule.name`` for names that no
    second clause has, ``rule.require`` and ``rule.report`` as the rules that are shipped use them.

    The file is loaded only from the path in the case file, relative to it, and runs as any program
    does: name only files that you trust.

    Equation
    --------
    As written in the function: each row achieved(t) >= required(t), or <=, linear in the variables
    of the period, in every period or summed over a window.

    Source
    ------
    The user's own; say which law or plan it stands for in `source`.  The form, one period that is
    written once and laid out over the horizon, is that of the formulation (manual, Formulation).

    Example
    -------
    .. code-block:: yaml

        - rule: python
          name: keep_a_third
          file: my_rule.py
          function: keep_a_third
          arguments: {link: nhue_canal, share: 0.33}

    with, in ``my_rule.py``::

        import pyomo.environ as pyo

        def keep_a_third(m, case, link, share):
            m.keep_a_third = pyo.Constraint(
                expr=m.flow[link] - share * m.flow["son_tay_to_lien_mac"] <= 0
            )
    """

    kind = "python"
    vi = "Quy tắc riêng của người dùng, viết bằng một hàm Python."

    file: Annotated[Path, Field(description="Python file, relative to the case file")]
    function: Annotated[str, Field(description="function in it")]
    arguments: Annotated[
        dict[str, Any], Field(description="named arguments passed on to the function")
    ] = {}

    @field_validator("file")
    @classmethod
    def _beside_the_case(cls, file: Path, info: ValidationInfo) -> Path:
        folder = (info.context or {}).get("folder")
        return file if file.is_absolute() or folder is None else Path(folder) / file

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        if not self.file.is_file():
            what = "is a folder" if self.file.is_dir() else "does not exist"
            return [("file", "E314", f"file {shown(self.file)} {what}; name a Python file")]
        try:
            self.load()
        except (Exception, SystemExit) as error:  # the user's file may raise anything
            key = "function" if isinstance(error, LookupError | TypeError) else "file"
            return [(key, "E314", f"{shown(self.file)}: {_text(error)}")]
        return []

    def load(self) -> Callable[..., Any]:
        """Load the function from its file.

        Raises
        ------
        LookupError
            No such function in the file.
        TypeError
            It is not a function that takes the model.
        """
        spec = importlib.util.spec_from_file_location(f"rule_{self.name}", self.file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        functions = [n for n, f in vars(module).items() if inspect.isfunction(f)]
        if self.function not in functions:
            near = suggest(self.function, functions) or f"; it has: {listed(functions) or 'none'}"
            raise LookupError(f"no function '{self.function}'{near}")
        function: Callable[..., Any] = getattr(module, self.function)
        try:
            inspect.signature(function).bind(None, None, **self._arguments_of(function))
        except TypeError as error:
            raise TypeError(
                f"function '{self.function}' must take (m, case) and its arguments: {error}"
            ) from None
        return function

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        file = shown(self.file)
        before = {id(component) for component in m.component_objects()}
        try:
            function = self.load()
            terms = function(m, case, **self._arguments_of(function))
        except (Exception, SystemExit) as error:
            at = Position(file, _line_in(error, self.file))
            text = f"rule '{self.name}' failed: {_text(error)}; mend the function '{self.function}'"
            raise CaseError([Fault(at, "E314", text)]) from error
        added = [c for c in m.component_objects() if id(c) not in before]
        variables = [c for c in added if isinstance(c, pyo.Var)]
        known = _ids(m.workings.component_data_objects(pyo.Var)) | _ids(
            variable for of in variables for variable in of.values()
        )
        texts = [text for component in added for text in _faults_of(component, case, m, known)]
        names = [variable.local_name for variable in variables]
        names += dict.fromkeys(report.name for report in m.reports if report.rule == self.name)
        texts += [
            f"two of its variables or reports are called '{name}'; give each a name of its own"
            for name in dict.fromkeys(names)
            if names.count(name) > 1
        ]
        texts += _faults_of_terms(terms, names)
        if texts:
            at = Position(file, function.__code__.co_firstlineno)
            raise CaseError([Fault(at, "E314", f"rule '{self.name}': {text}") for text in texts])
        for variable in variables:
            values = {_item(index): of for index, of in variable.items()}
            self.report(m, variable.local_name, values, _units_of(variable))
        for name, term in (terms or {}).items():
            expression, units = term if isinstance(term, tuple) else (term, "hm3")
            self.report(m, name, {"": expression}, units)

    def _arguments_of(self, function: Callable[..., Any]) -> dict[str, Any]:
        """Arguments of the clause, and the clause itself where the function asks for it."""
        asks = "rule" in inspect.signature(function).parameters and "rule" not in self.arguments
        return self.arguments | ({"rule": self} if asks else {})


def _ids(components: Any) -> set[int]:
    return {id(component) for component in components}


def _is_within(component: Any, block: Any) -> bool:
    """Tell whether a component stands on a block, or on one that stands on it."""
    while component is not None and component is not block:
        component = component.parent_block()
    return component is block


def _item(index: Any) -> str:
    """Name of a member of an indexed component; "" where there is one only."""
    if index is None:
        return ""
    return ",".join(map(str, index)) if isinstance(index, tuple) else str(index)


def _units_of(variable: Any) -> str:
    """Unit of a variable, as results write it; hm3 where it has none, 1 of a yes or no."""
    units = variable.get_units()
    if units is None and all(of.is_binary() for of in variable.values()):
        return "1"
    if units is None:
        return "hm3"
    return next((word for name, word in UNITS.items() if str(unit(name)) == str(units)), str(units))


def _faults_of(component: Any, case: Case, m: pyo.ConcreteModel, own: set[int]) -> Iterator[str]:
    """Tell what a component, added by a user's function, may not be.

    Parameters
    ----------
    own : ids of the variables of rules
    """
    name = component.name
    if isinstance(component, pyo.Objective):
        yield (
            f"'{name}' is an objective, which would have no effect; add rows only, and say in the "
            "goals of the case what is optimised"
        )
    elif isinstance(component, pyo.Var):
        if not all(v.is_continuous() or v.is_binary() for v in component.values()):
            yield (
                f"variable '{name}' takes whole numbers; it must be continuous, or a yes or no "
                "(pyo.Binary)"
            )
    elif isinstance(component, pyo.Param):
        sizes = (case.n_members, case.n_periods)
        for value in component.values() if component.mutable else ():
            yield from _faults_of_number(f"parameter '{name}'", pyo.value(value), sizes)
    elif isinstance(component, pyo.Constraint):
        is_working = _is_within(component, m.workings)
        for row in component.values():
            yield from _faults_of_row(row, own if is_working else None)
    elif not isinstance(component, PLAIN):
        yield (
            f"'{name}' is a {component.ctype.__name__}, which would have no effect; add rows, "
            "variables and parameters only"
        )


def _faults_of_row(row: Any, own: set[int] | None) -> Iterator[str]:
    """Tell what a row may not be.

    Parameters
    ----------
    own : of a row of ``m.workings`` the ids of the variables of rules; None of a row of the rule
    """
    low, body, high = row.to_bounded_expression()
    variables = _linear_variables(body)
    if variables is None:
        yield f"row '{row.name}' is not linear: {body}; write it as a linear expression"
    elif any(isinstance(limit, float) and math.isnan(limit) for limit in (low, high)):
        yield f"limit of row '{row.name}' is not a number (NaN); give a number"
    elif own is not None:
        if not own & _ids(variables):
            yield (
                f"row '{row.name}' has no variable of a rule in it, so that it would limit the "
                "basin unseen; add it to m itself, where it is a row of the rule"
            )
    elif row.equality or (low is not None and high is not None):
        yield (
            f"row '{row.name}' is an equality or a range; write it as two rows, "
            "achieved >= required and achieved <= required, or, where it defines variables of "
            "your own, add it to m.workings"
        )


def _linear_variables(expression: Any) -> list[Any] | None:
    """Variables of a linear expression, whose data may be arrays; None where it is not linear."""
    if not hasattr(expression, "is_expression_type"):
        return [] if isinstance(expression, int | float | np.ndarray) else None
    form = generate_standard_repn(expression, compute_values=False)
    return list(form.linear_vars) if form.is_linear() else None


def _faults_of_terms(terms: Any, taken: Sequence[str]) -> Iterator[str]:
    """Tell what a function may not return."""
    if terms is None:
        return
    if not isinstance(terms, dict):
        yield (
            f"the function returns a {type(terms).__name__}; return nothing, or terms by name, "
            'as {"fee": expression}'
        )
        return
    for name, term in terms.items():
        expression, *units = term if isinstance(term, tuple) else (term, "hm3")
        if not isinstance(name, str) or not name.isidentifier():
            yield f"name {name!r} of a term is not valid; write letters, digits and '_'"
        elif name in taken:
            yield f"term '{name}' is called as a variable or report is; give it another name"
        elif len(units) != 1 or not isinstance(units[0], str) or not units[0]:
            yield f"term '{name}' must be an expression, or (expression, unit)"
        elif _linear_variables(expression) is None:
            yield (
                f"term '{name}' is not a linear expression of the period: {expression}; "
                "write it with variables of m"
            )


def _faults_of_number(what: str, value: Any, sizes: tuple[int, int]) -> Iterator[str]:
    try:
        array = np.asarray(value, float)
        fits = np.broadcast_shapes(array.shape, sizes) == sizes
    except (TypeError, ValueError):
        array, fits = np.asarray(value), False
    if not fits:
        yield (
            f"{what} is of shape {array.shape}; must be a number, or an array (time) of "
            f"{sizes[1]} periods or (member, time) with {sizes[0]} members"
        )
    elif np.isnan(array).any():
        yield f"{what} has values that are not a number (NaN); give numbers"


def _text(error: BaseException) -> str:
    return str(error.args[0]) if type(error) is LookupError else f"{type(error).__name__}: {error}"


def _line_in(error: BaseException, file: Path) -> int:
    """Line of the user's file at which an error arose; 0 when it is elsewhere."""
    trace, line = error.__traceback__, 0
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).resolve() == file.resolve():
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
