"""Forecasts from a file: what was thought of the inflow of nodes, and when.

The file is a CSV with the columns ``issued, date, node, inflow_m3s``, one flow a row.  A forecast
that is issued on a day knows the periods before it; `date` is the first day of the period it is of,
the same or a later one.  Dates are those of the record, as in ``series/inflow_m3s.csv``, and a
factor of the case on the inflow holds for forecasts too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from wateralloc.case.foresight import Rolling
from wateralloc.errors import CaseError, Fault, Findings, Position, listed, or_do, shown, suggest
from wateralloc.hydrology import Member, spans
from wateralloc.tables import Column, Table, read_table
from wateralloc.timeline import Timeline

FORECASTS = Table(
    "forecasts",
    "Forecasts of inflow: what was thought on a day of the flow of a period that begins then or "
    "later.",
    (
        Column("issued", "day of the forecast; periods before it are known", "date", required=True),
        Column("date", "first day of the period it is of", "date", required=True),
        Column("node", "node whose inflow it is", "name", required=True, refers_to="nodes"),
        Column("inflow", "flow thought of", dimension="flow", required=True, low=0),
    ),
    key="",
)


@dataclass(frozen=True, eq=False)
class Issued:
    """Forecasts of a file.

    Attributes
    ----------
    at : where the case names the file
    flows : DataFrame [m3s]
        By (issued, date), first days of periods; one column a node; NaN where there is none.
    """

    path: Path
    at: Position
    flows: pd.DataFrame = field(repr=False)

    def by_lead(
        self, timeline: Timeline, members: Sequence[Member], nodes: Sequence[str], rolling: Rolling
    ) -> np.ndarray:
        """Lay the forecasts on the periods of members.

        Returns
        -------
        ndarray [m3s] (node, member, lead, time)
            Leads from 1.  Where no window looks, the mean of all that is in the file of the node.

        Raises
        ------
        CaseError
            E376: the file lacks some.
        """
        texts = list(self.lacks(timeline, members, nodes, rolling))
        if texts:
            raise CaseError([Fault(self.at, "E376", text) for text in texts])
        lead, time = np.nonzero(rolling.looks_at(timeline.periods))
        found = self._find(timeline, members, nodes, rolling)
        shape = (len(nodes), len(members), rolling.n_leads - 1, timeline.periods)
        mean = self.flows[list(nodes)].mean().to_numpy()
        flows = np.broadcast_to(mean[:, None, None, None], shape).copy()
        by_member = found.to_numpy().reshape(len(members), -1, len(nodes))
        flows[:, :, lead, time] = by_member.transpose(2, 0, 1)
        return flows

    def lacks(
        self, timeline: Timeline, members: Sequence[Member], nodes: Sequence[str], rolling: Rolling
    ) -> Iterator[str]:
        """Say which forecasts are missing that a window looks at."""
        found = self._find(timeline, members, nodes, rolling)
        missing = found.isna()
        is_lacking = missing.any(axis=1).to_numpy()
        if not is_lacking.any():
            return
        lacking = missing[is_lacking].groupby(level=[0, 1]).any()
        known = self.flows.index.get_level_values("issued").unique()
        days = lacking.index.get_level_values(0)
        never = days[~days.isin(known)].unique()
        if len(never):
            yield (
                f"{shown(self.path)} has no forecasts issued on {listed(map(_day, never), 6)}; "
                "add them: what windows know ends there"
            )
        for issued in days[days.isin(known)].unique():
            rows = lacking.loc[issued]
            who = [node for node in nodes if rows[node].any()]
            yield (
                f"{shown(self.path)}: what is issued on {_day(issued)} has no flow of "
                f"{listed(who, 6)} on {listed(map(_day, rows.index), 6)}; add it, or shorten "
                f"the window of {rolling.window} periods"
            )

    def _find(
        self, timeline: Timeline, members: Sequence[Member], nodes: Sequence[str], rolling: Rolling
    ) -> pd.DataFrame:
        """Forecasts that windows look at, by (member, lead and period), one column a node."""
        starts = spans(timeline, members)[0].astype("datetime64[s]")
        lead, time = np.nonzero(rolling.looks_at(timeline.periods))
        # lead 1 stands first, and is issued on the first day of its period
        at = [starts[:, time - lead].ravel(), starts[:, time].ravel()]
        wanted = pd.MultiIndex.from_arrays(at, names=["issued", "date"])
        return self.flows.reindex(index=wanted, columns=list(nodes))


def _day(stamp: object) -> str:
    return str(np.datetime64(stamp, "D"))  # type: ignore[call-overload]


def read_forecasts(
    path: Path, at: Position, nodes: Sequence[str], step: str, findings: Findings
) -> Issued | None:
    """Read a file of forecasts; None after a fault.

    Parameters
    ----------
    at : where the case names the file
    nodes : nodes whose inflow is a series; others cannot be forecast
    step : of the timeline of the case
    """
    n_faults = len(findings.faults)
    table = read_table(path, FORECASTS, findings)
    if len(findings.faults) > n_faults:
        return None
    if table.empty:
        findings.add(Position(shown(path)), "E103", "file has no forecasts; add them", CaseError)
        return None
    _check_nodes(table, nodes, findings)
    _check_days(table, step, findings)
    twice = table.duplicated(["issued", "date", "node"])
    for row in np.flatnonzero(twice)[:1]:
        of = table.iloc[row]
        findings.add(
            table.attrs["positions"][row, "inflow"],
            "E379",
            f"flow of '{of['node']}' on {of['date']}, issued on {of['issued']}, stands there "
            f"already{_more(twice)}; keep one",
        )
    if len(findings.faults) > n_faults:
        return None
    stamps = {day: table[day].to_numpy().astype("datetime64[s]") for day in ("issued", "date")}
    flows = table.assign(**stamps).pivot(
        index=["issued", "date"], columns="node", values="inflow"
    )  # fmt: skip
    return Issued(path, at, flows)


def _check_nodes(table: pd.DataFrame, nodes: Sequence[str], findings: Findings) -> None:
    names = table["node"].to_numpy()
    for name in dict.fromkeys(names):
        if name not in nodes:
            rows = names == name
            hint = or_do(
                suggest(name, nodes), f"nodes whose inflow is a series are {listed(nodes)}"
            )
            findings.add(
                table.attrs["positions"][int(np.argmax(rows)), "node"],
                "E211",
                f"'{name}' is no node whose inflow is a series{_more(rows)}{hint}",
            )


def _check_days(table: pd.DataFrame, step: str, findings: Findings) -> None:
    """Check that dates are first days of periods, none before its forecast is issued."""
    at = table.attrs["positions"]
    for column in ("issued", "date"):
        days = table[column].to_numpy().astype("datetime64[D]")
        for day in np.unique(days):
            try:
                Timeline(str(day), 1, step)
            except ValueError as error:
                rows = days == day
                findings.add(
                    at[int(np.argmax(rows)), column],
                    "E377",
                    f"{column} is {day} but {error}{_more(rows)}; write the first day of a period",
                )
    issued, date = (table[c].to_numpy().astype("datetime64[D]") for c in ("issued", "date"))
    late = date < issued
    if late.any():
        row = int(np.argmax(late))
        findings.add(
            at[row, "date"],
            "E377",
            f"forecast of {date[row]} is issued after it, on {issued[row]}{_more(late)}; "
            "write the day on which what is before it is known",
        )


def _more(rows: np.ndarray) -> str:
    n = int(np.asarray(rows).sum()) - 1
    return f" ({n} more below)" if n else ""
