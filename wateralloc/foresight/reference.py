"""The reference: bases of one member that all others start from.

Members of a case have the same program with other numbers, so the optimal basis of one is near that
of the next.  If each member started from the one before it, answers would depend on the order of
members; from the same reference they depend on nothing but the member itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wateralloc.solve import Combined, PackedBasis


@dataclass(frozen=True)
class Reference:
    """Optimal bases of one member.

    Attributes
    ----------
    member : its name
    bases : by the name of the optimum
    combined : its goals in one; None where they cannot be
    """

    member: str
    bases: dict[str, PackedBasis] = field(repr=False)
    combined: Combined | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls, member: str, bases: Mapping[str, Any], combined: Combined | None = None
    ) -> Reference:
        """Keep bases as the solver has them."""
        packed = {name: PackedBasis.of(basis) for name, basis in bases.items()}
        return cls(member, packed, combined)

    def identity(self) -> dict[str, str]:
        """Name the member, with a hash of all its bases: the same inputs give the same."""
        digest = hashlib.sha256()
        combined = {"": self.combined.basis} if self.combined is not None else {}
        for name, basis in sorted((self.bases | combined).items()):
            digest.update(name.encode() + b"\0" + basis.columns.tobytes() + basis.rows.tobytes())
        return {"member": self.member, "sha256": digest.hexdigest()}

    def for_members(self, n_members: int) -> list[dict[str, Any]]:
        """Bases to start from, by the name of the optimum, for each member."""
        if self.combined is not None:
            return [dict[str, Any](self.bases) for _ in range(n_members)]  # most are not needed
        bases = {name: packed.unpack() for name, packed in self.bases.items()}
        return [dict(bases) for _ in range(n_members)]
