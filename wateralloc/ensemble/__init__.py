"""Ensembles and sweeps: many members, and many settings, in parallel; they can be resumed.

Members are solved in blocks, each on some worker.  What comes of a block is one file, which is
written whole or not at all; the blocks of a folder become one result when all are there.
"""

from __future__ import annotations

from wateralloc.ensemble.run import Ensemble, run_ensemble
from wateralloc.ensemble.sweep import Sweep, run_sweep

__all__ = ["Ensemble", "Sweep", "run_ensemble", "run_sweep"]
