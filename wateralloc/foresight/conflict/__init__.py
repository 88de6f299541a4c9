"""Why a member is infeasible, and what would mend it.

The proof that its limits contradict each other is taken apart into conflicts, of which every limit
is needed (:mod:`.proof`, :mod:`.names`); then the least change is sought: by one clause alone, by
one limit of the basin alone, and by all clauses together (:mod:`.find`, :mod:`.repairs`).
:mod:`.words` says so, :mod:`.mend` carries it out.
"""

from wateralloc.foresight.conflict.find import Change, Reasons, find_reasons
from wateralloc.foresight.conflict.names import Conflict, Side
from wateralloc.foresight.conflict.repairs import Alternative
from wateralloc.foresight.conflict.words import explain_infeasible

__all__ = [
    "Alternative",
    "Change",
    "Conflict",
    "Reasons",
    "Side",
    "explain_infeasible",
    "find_reasons",
]
