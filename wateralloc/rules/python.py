"""python: the user's own rule, a function that adds Pyomo constraints to the period."""

from __future__ import annotations

import importlib.util
import inspect
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyomo.environ as pyo
from pydantic import Field, ValidationInfo, field_validator

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import CaseError, Fault, Position, listed, shown, suggest
from wateralloc.rules import Rule


class Python(Rule):
    """Call a function of the user's file that adds constraints to the period.

    The function gets the period model `m` and the case, ``def my_rule(m, case)``, with the
    arguments of the clause after them, and adds plain Pyomo constraints to `m`, written with the
    limit on the right: ``m.flow["a_to_b"] >= 5``.  Volumes are hm3 of the period.  A row holds in
    every period; ``m.repeats.total(m.my_row, case.timeline.window("year"))`` makes it hold for the
    sum over each year.  Data by period are Params: ``pyo.Param(initialize=array, mutable=True,
    within=pyo.Any)`` with an array (time) or (member, time).

    The file is loaded only from the path in the case file, relative to it.

    Equation
    --------
    As written in the function.

    Example
    -------
    .. code-block:: yaml

        - rule: python
          name: keep_a_third
          file: my_rule.py
          function: keep_a_third

    with, in ``my_rule.py``::

        def keep_a_third(m, case):
            m.keep = pyo.Constraint(
                expr=m.flow["canal"] - m.inflow["head"] * 2 / 3 <= 0
            )
    """

    kind = "python"

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

    def load(self) -> Callable[..., None]:
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
        function: Callable[..., None] = getattr(module, self.function)
        try:
            inspect.signature(function).bind(None, None, **self.arguments)
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
            function(m, case, **self.arguments)
        except (Exception, SystemExit) as error:
            at = Position(file, _line_in(error, self.file))
            text = f"rule '{self.name}' failed: {_text(error)}; mend the function '{self.function}'"
            raise CaseError([Fault(at, "E314", text)]) from error
        added = [c for c in m.component_objects() if id(c) not in before]
        at = Position(file, function.__code__.co_firstlineno)
        faults = [
            Fault(at, "E314", f"rule '{self.name}': {text}")
            for component in added
            for text in _faults_of(component, case)
        ]
        if faults:
            raise CaseError(faults)


def _faults_of(component: Any, case: Case) -> Iterator[str]:
    """Tell what a component, added by a user's function, may not be."""
    name = component.name
    if isinstance(component, pyo.Objective):
        yield (
            f"'{name}' is an objective, which would have no effect; add rows only, and say in the "
            "goals of the case what is optimised"
        )
    elif isinstance(component, pyo.Var):
        if not all(variable.is_continuous() for variable in component.values()):
            yield f"variable '{name}' is not continuous; all must be, for a program that is linear"
    elif isinstance(component, pyo.Param):
        sizes = (case.n_members, case.n_periods)
        for value in component.values() if component.mutable else ():
            yield from _faults_of_number(f"parameter '{name}'", pyo.value(value), sizes)
    elif isinstance(component, pyo.Constraint):
        for row in component.values():
            low, body, high = row.to_bounded_expression()
            if body.polynomial_degree() not in (0, 1):
                yield f"row '{row.name}' is not linear: {body}; write it as a linear expression"
            elif any(isinstance(limit, float) and math.isnan(limit) for limit in (low, high)):
                yield f"limit of row '{row.name}' is not a number (NaN); give a number"
            elif row.equality or (low is not None and high is not None):
                yield (
                    f"row '{row.name}' is an equality or a range; write it as two rows, "
                    "achieved >= required and achieved <= required"
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
