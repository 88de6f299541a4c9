"""How shortages were shared: claims and awards of each goal ``share``, and its prices."""

from __future__ import annotations

from typing import Any

import numpy as np

from wateralloc.foresight.perfect import Solution
from wateralloc.goals.claims import Awards, Shared
from wateralloc.results.variables import Variable, clean, text, variable, whole


def sharing_variables(solution: Solution) -> dict[str, Variable]:
    """One row a claimant, window and tier of each goal ``share``, and one a goal; none without."""
    members = [
        [what for _, what in records if isinstance(what, Shared)] for records in solution.records
    ]
    if not members or not members[0]:
        return {}
    rows = [
        (shared, tier, i, w)
        for shared in members[0]
        for tier, awards in enumerate(shared.awards)
        for w in range(awards.claimants.n_windows)
        for i in range(len(awards.claimants.names))
    ]

    def of_row(name: str) -> np.ndarray:
        """A number of each member and row."""
        return np.array(
            [
                [getattr(of[s].awards[tier], name)[i, w] for s, tier, i, w in places]
                for of in members
            ],
            float,
        )

    place = {id(shared): s for s, shared in enumerate(members[0])}
    places = [(place[id(shared)], tier, i, w) for shared, tier, i, w in rows]
    claim = of_row("claim")
    award = np.stack([_awarded(solution, members[0][s].awards[t], i, w) for s, t, i, w in places])
    starts, ends = solution.case.timeline.starts, solution.case.timeline.last_days

    def days(edges: np.ndarray, end: int) -> np.ndarray:
        found = [
            edges[np.flatnonzero(shared.awards[t].claimants.window == w)[end]]
            for shared, t, _, w in rows
        ]
        return np.array(found, "datetime64[ns]")

    found: dict[str, Any] = {
        "award_claim": variable(("member", "award"), claim, "what the claimant asks", "hm3"),
        "award_volume": variable(
            ("member", "award"), clean(award.T), "what the claimant is given", "hm3"
        ),
        "award_round": variable(
            ("member", "award"),
            of_row("settled_in").astype(np.int32),
            "round in which the award was settled; 0 where nothing is claimed",
        ),
        "award_level": variable(
            ("member", "award"), of_row("level"), "common level of that round", "1"
        ),
        "award_goal": variable("award", whole(s.goal for s, *_ in rows), "place of the goal"),
        "award_tier": variable("award", whole(t + 1 for _, t, _, _ in rows), "tier, from 1"),
        "award_rule": variable("award", text(s.awards[t].rule for s, t, _, _ in rows), "rule"),
        "award_claimant": variable(
            "award", text(s.awards[t].claimants.names[i] for s, t, i, _ in rows), "claimant"
        ),
        "award_start": variable("award", days(starts, 0), "first day of the window"),
        "award_end": variable("award", days(ends, -1), "last day of the window"),
    }
    goals = members[0]
    has_worth = [shared.value_price is not None for shared in goals]
    of_goal = {
        "volume_price": "share of the volume deliverable at most that the rule does without",
        "value_price": "share of the greatest value that the rule does without; 0 without values",
        "most": "volume deliverable at most to the claimants together [hm3]",
    }
    for name, meaning in of_goal.items():
        values = [[getattr(shared, name) or 0.0 for shared in of] for of in members]
        units = "hm3" if name == "most" else "1"
        found[f"sharing_{name}"] = variable(
            ("member", "sharing"), clean(np.array(values, float)), meaning, units
        )
    return found | {
        "sharing_goal": variable("sharing", whole(s.goal for s in goals), "place of the goal"),
        "sharing_name": variable("sharing", text(s.title for s in goals), "name of the goal"),
        "sharing_has_value": variable(
            "sharing", np.array(has_worth, bool), "whether users have a value"
        ),
    }


def _awarded(solution: Solution, awards: Awards, claimant: int, window: int) -> np.ndarray:
    """What a claimant withdraws in a window [hm3] (member)."""
    m, claimants = solution.period.model, awards.claimants
    group = claimants.groups[claimants.names[claimant]]
    taken = np.sum([solution.value(m.withdrawal[d]) for d in group], axis=0)
    # compressed: numbers picked by a mask lie in memory, and add up, by how many members there are
    return np.asarray(np.compress(claimants.window == window, taken, axis=1).sum(axis=1))
