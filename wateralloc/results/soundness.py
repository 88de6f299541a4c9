"""What a result tells against itself: its certificate, and the balance of every node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from wateralloc.results.equality import EQUAL, word
from wateralloc.results.store import Results
from wateralloc.solve import FEASIBILITY, GAP

CLOSED = FEASIBILITY
"""Residual of a node's balance up to which it closes, as a share of what the node gives and takes,
or in hm3 where that is less than 1 hm3."""
AT_ONCE = 64
"""Members whose balance is in memory at a time."""


@dataclass(frozen=True)
class Contradiction:
    """What of a result cannot be, by the result alone.

    Attributes
    ----------
    what : ``balance``: amounts of a node leave `value` [hm3], more than `limit`; ``residual``: they
        leave `value`, and `limit` stands beside them; ``certificate``: a figure is above `limit`;
        ``manifest``: a figure of the certificate is `limit` in ``manifest.json``
    where : dimension -> label; of a certificate the ``figure``
    """

    what: Literal["balance", "residual", "certificate", "manifest"]
    where: dict[str, str]
    value: float
    limit: float


def check_alone(
    results: Results,
) -> tuple[dict[str, float], float, list[Contradiction]]:
    """Check certificate and balance from what is stored.

    Returns
    -------
    certificate : worst figures of all programs
    residual : largest residual of a node [hm3]
    contradictions
    """
    dataset, told = results.dataset, results.manifest["certificate"]
    figures = {
        name: float(np.max(dataset[f"stage_{name}"].values, initial=0.0))
        for name in ("primal", "dual", "gap")
    }
    limits = {"primal": FEASIBILITY, "dual": FEASIBILITY, "gap": GAP}
    found: list[Contradiction] = []
    for name, value in figures.items():
        where = {"figure": name}
        if not value <= limits[name]:
            found.append(Contradiction("certificate", where, value, limits[name]))
        if value != told[name]:
            found.append(Contradiction("manifest", where, value, told[name]))
    residual, broken = _check_balance(dataset)
    return figures, residual, found + broken


def _check_balance(dataset: xr.Dataset) -> tuple[float, list[Contradiction]]:
    """Largest residual of a node from its amounts [hm3], and the worst that cannot be."""
    amounts = [str(n) for n, of in dataset.data_vars.items() if "balance_sign" in of.attrs]
    largest = 0.0
    worst: dict[str, tuple[float, Contradiction]] = {}
    for first in range(0, dataset.sizes["member"], AT_ONCE):
        some = dataset.isel(member=slice(first, first + AT_ONCE))
        beside = some["residual"].values
        residual, turnover = np.zeros(beside.shape), np.ones(beside.shape)
        for name in amounts:
            values = some[name].values
            residual += float(some[name].attrs["balance_sign"]) * values
            turnover += np.abs(values)
        largest = max(largest, float(np.max(np.abs(residual), initial=0.0)))
        checks: tuple[tuple[Any, np.ndarray, np.ndarray, np.ndarray], ...] = (
            ("balance", residual, CLOSED * turnover, CLOSED * turnover),
            ("residual", residual - beside, EQUAL * turnover, beside),
        )
        for what, off, most, limit in checks:
            share = np.where(np.isnan(off), np.inf, np.abs(off) / most)
            if not share.size or share.max() <= worst.get(what, (1.0,))[0]:
                continue
            at = np.unravel_index(int(share.argmax()), share.shape)
            where = {
                str(dim): word(some[dim].values[k])
                for dim, k in zip(some["residual"].dims, at, strict=True)
            }
            broken = Contradiction(what, where, float(residual[at]), float(limit[at]))
            worst[what] = (float(share[at]), broken)
    if "balance" in worst:  # the residual beside it is another too
        worst.pop("residual", None)
    return largest, [broken for _, broken in worst.values()]
