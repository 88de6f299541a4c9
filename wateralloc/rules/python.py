"""python: the user's own rule, a function that adds Pyomo constraints to the period."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

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
        except Exception as error:  # the user's file may raise anything
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
        try:
            self.load()(m, case, **self.arguments)
        except Exception as error:
            line = _line_in(error, self.file)
            raise CaseError(
                [
                    Fault(
                        Position(shown(self.file), line),
                        "E314",
                        f"rule '{self.name}' failed: {_text(error)}; mend the function "
                        f"'{self.function}'",
                    )
                ]
            ) from error


def _text(error: Exception) -> str:
    return str(error.args[0]) if type(error) is LookupError else f"{type(error).__name__}: {error}"


def _line_in(error: Exception, file: Path) -> int:
    """Line of the user's file at which an error arose; 0 when it is elsewhere."""
    trace, line = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
