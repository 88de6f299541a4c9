"""Pictures of the README and the manual, from the pilot: ``make pictures`` draws them anew."""

from __future__ import annotations

from pathlib import Path

import wateralloc
from wateralloc.report.charts.style import save

HERE = Path(__file__).parent
DROUGHT = "2004-06"
"""The member of the pilot that lacks most."""


def main() -> None:
    """Run the pilot, and draw its driest year."""
    results = wateralloc.run("pilot_sharing", ranges=False)
    plot = results.plot
    save(plot.map(member=DROUGHT, season="dry"), HERE / "pilot_map.svg")
    save(plot.sankey(), HERE / "pilot_water.svg")
    save(plot.reservoir("hoa_binh", member=DROUGHT), HERE / "pilot_hoa_binh.svg")


if __name__ == "__main__":
    main()
