"""Write the tables of the page on performance from what the benchmarks measured.

Run by ``docs/conf.py`` at every build; ``python docs/performance_table.py`` writes them alone.
"""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MEASURED = HERE.parent / "benchmarks" / "results"
PAGES = {
    "performance": "stack",
    "performance_passes": "passes",
    "performance_share": "share",
    "performance_pywr": "pywr",
    "performance_ensemble": "ensemble",
    "performance_report": "report",
    "performance_calvin": "calvin",
    "performance_growth": "growth",
    "performance_solvers": "solvers",
}
"""Pages, and the benchmark that each is of."""
NOTHING = "*Nothing is measured yet: run `make bench`.*\n"
WAYS = {
    "stacked": "stacked (this project)",
    "by_hand": "arrays by hand, without Pyomo",
    "plain_pyomo": "plain Pyomo model, Pyomo's own HiGHS interface",
}


def write(folder: Path) -> None:
    """Write the pages into a folder, which is made when it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, benchmark in PAGES.items():
        (folder / f"{name}.md").write_text(page(benchmark), encoding="utf-8")


def page(benchmark: str) -> str:
    """Tables of a benchmark, and where and when it was measured."""
    path = MEASURED / f"{benchmark}.json"
    if not path.is_file():
        return NOTHING
    found = json.loads(path.read_text(encoding="utf-8"))
    machine = found["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    text = (
        f"Measured on {_date(found, path)}, size `{found['size']}`: {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['memory_gib']:.0f} GiB, {machine['system']}, "
        f"Python {machine['python']}; {packages}.\n"
    )
    if benchmark == "passes":
        text += _passes(found)
    elif benchmark == "share":
        text += _share(found)
    elif benchmark == "pywr":
        text += _pywr(found)
    elif benchmark == "ensemble":
        text += _ensemble(found)
    elif benchmark == "report":
        text += _report(found)
    elif benchmark == "calvin":
        text += _calvin(found)
    elif benchmark == "growth":
        text += _growth(found)
    elif benchmark == "solvers":
        return text + _solvers(found)
    else:
        for size in found["sizes"]:
            text += _size(size)
    rows = [
        (t["name"], t["at"], f"{t['ratio']:.3g}", f"{t['at_most']:.3g}", _yes(t["passed"]))
        for t in found["targets"]
    ]
    head = ("what", "at", "ratio of medians", "at most", "met")
    return text + "\n### Targets\n\n" + _grid(head, rows)


def _size(size: dict[str, Any]) -> str:
    rows = size["n_rows"]["stacked"]
    text = (
        f"\n### {size['n_nodes']} nodes × {size['n_periods']} periods\n\n{rows:,} rows, "
        f"{size['n_columns']['stacked']:,} columns, {size['n_nonzeros']['stacked']:,} nonzeros; "
        f"same optimum everywhere: {_yes(size['optimum']['agree'])}; stacked program the same as "
        f"that by hand, entry by entry: {_yes(size['same_matrix']['agree'])}.\n\n"
    )
    memory = size["memory"]
    lines = [
        (name, *_spread(size["build_and_hand_over_s"][way]), _mib(memory[way]))
        for way, name in WAYS.items()
    ]
    lines += [
        ("HiGHS's own run", *_spread(size["highs_run_s"]["scale_strategy_4"]), ""),
        (
            "HiGHS's own run, its default scaling",
            *_spread(size["highs_run_s"]["scale_strategy_default"]),
            "",
        ),
        ("stacked and run, whole", *_spread(size["whole_s"]), _mib(memory["stacked_and_run"])),
    ]
    head = ("build and hand over, or run", "median s", "min–max s", "runs", "peak above start MiB")
    text += _grid(head, lines)
    ratio = size["ratios"]
    names = {
        "stacked_to_plain_pyomo": "stacked ÷ plain Pyomo",
        "stacked_to_by_hand": "stacked ÷ by hand",
        "whole_to_highs_run": "whole ÷ HiGHS's own run",
        "default_scaling_to_strategy_4": "default scaling ÷ strategy 4",
    }
    pairs = [
        (name, f"{ratio[key]['of_medians']:.3g}", *_spread(ratio[key]["run_by_run"])[1:])
        for key, name in names.items()
    ]
    return text + "\n" + _grid(("ratio", "of medians", "run by run, min–max", "runs"), pairs)


def _passes(found: dict[str, Any]) -> str:
    """Members one by one, then all together, with heads fixed and updated."""
    lines = [
        (
            member,
            f"{of['passes']} ({of['whole_passes']})",
            f"{of['iterations']['updated']:,} ({of['iterations']['fixed']:,})",
            *(f"{of['solve_s'][way]['median']:.3g}" for way in ("updated", "fixed")),
            f"{of['ratio']['of_medians']:.3g}",
            f"{100 * (of['energy_gwh']['updated'] / of['energy_gwh']['fixed'] - 1):+.1f}",
            _yes(of["is_converged"]),
        )
        for member, of in found["members"].items()
    ]
    head = (
        "member", "passes (whole)", "iterations (fixed)", "updated, s", "fixed, s", "ratio",
        "energy, %", "converged",
    )  # fmt: skip
    text = f"\n### Members of {found['case']}\n\n" + _grid(head, lines)
    pairs = [
        (
            name,
            *(f"{found[key][way]['median']:.3g}" for way in ("updated", "fixed")),
            f"{found['ratios'][ratio]['of_medians']:.3g}",
            *_spread(found["ratios"][ratio]["run_by_run"])[1:],
        )
        for name, key, ratio in (
            ("build and solve", "build_and_solve_s", "updated_to_fixed_solve"),
            ("whole job", "whole_s", "updated_to_fixed_whole"),
        )
    ]
    head = ("median of all", "updated, s", "fixed, s", "ratio", "run by run, min–max", "runs")
    return text + "\n" + _grid(head, pairs)


def _share(found: dict[str, Any]) -> str:
    """Rules by numbers of users, against one program of the same case."""
    lines = [
        (
            f"{size['n_users']}",
            f"`{rule}`",
            f"{size['one_program_s']['median']:.3g}",
            f"{of['solve_s']['median']:.3g}",
            f"{of['ratio']['of_medians']:.3g}",
            *_spread(of["ratio"]["run_by_run"])[1:],
            f"{of['n_rounds']}",
            f"{of['n_levels']}",
        )
        for size in found["sizes"]
        for rule, of in size["rules"].items()
    ]
    head = (
        "users", "rule", "one program, s", "the rule, s", "ratio", "run by run, min–max", "runs",
        "rounds", "levels",
    )  # fmt: skip
    return f"\n### {found['sizes'][0]['n_periods']} dekads\n\n" + _grid(head, lines)


def _pywr(found: dict[str, Any]) -> str:
    """Time of a step and scenario in every way, size by size."""
    ways = {
        "wateralloc": "this project",
        "pywr_1": f"Pywr {found['versions']['pywr_1']}",
        "pywr_2": f"Pywr {found['versions']['pywr_2']}, CLP",
        "pywr_2_highs": f"Pywr {found['versions']['pywr_2']}, HiGHS",
    }
    lines = [
        (
            size["label"],
            f"{size['n_cores']}",
            ways[way],
            f"{of_way['median']:.3g}",
            *_spread(of_way)[1:],
            f"{size['cpu_us_per_step_and_scenario'][way]['median']:.3g}",
            f"{size['node_steps_per_s'][way]['median'] / 1e6:.3g}",
            f"{size['setup_s'][way]['median']:.3g}",
        )
        for size in found["sizes"]
        for way, of_way in size["us_per_step_and_scenario"].items()
    ]
    head = (
        "size", "cores", "way", "µs a step and scenario", "min–max", "runs", "processor, µs",
        "million node-steps a second", "set-up, s",
    )  # fmt: skip
    return "\n" + _grid(head, lines)


def _ensemble(found: dict[str, Any]) -> str:
    """Workers beside one process, memory by members, and starts of a further member."""
    of = found["parallel"]
    cpu = of["processor_seconds"]
    lines = [
        (workers, *_spread(seconds)[:2], f"{cpu[workers]:.0f}")
        for workers, seconds in of["seconds"].items()
    ]
    text = f"\n### {of['n_members']} members of {of['n_periods']} periods\n\n"
    text += _grid(("processes", "median s", "min–max s", "processor s"), lines)
    text += (
        f"\nThe same to the last bit. Parallel efficiency: {of['efficiency']['of_medians']:.3f} by "
        f"the clock, {of['processor_efficiency']:.3f} by processor time. `results.nc` takes "
        f"{of['results_mib']:.0f} MiB.\n"
    )
    memory = [(n, _mib(found["memory"][n])) for n in found["memory"]]
    text += f"\n### Memory\n\n{found['memory_mib_per_member']:.2f} MiB for a member more.\n\n"
    text += _grid(("members", "peak above start MiB"), memory)
    ways = {
        "cold": ("cold", "cold_iterations"),
        "warm": ("from the reference", "from_reference_iterations"),
        "highs_cold": ("HiGHS's own run, cold", "highs_cold_iterations"),
        "highs_warm": ("HiGHS's own run, goal by goal from the reference", "highs_warm_iterations"),
        "highs_combined": (
            "HiGHS's part of the run from the reference",
            "highs_combined_iterations",
        ),
    }
    text += "\n### A further member\n"
    for one in found["further_member"]:
        starts = [
            (
                name, *_spread(one[f"{way}_cpu_s"]),
                str(one[iterations]), f"{one[f'{way}_cpu_s']['median'] / least:.2f}",
            )
            for least in [one["highs_warm_cpu_s"]["median"]]
            for way, (name, iterations) in ways.items()
        ]  # fmt: skip
        head = ("way", "processor s", "min–max", "runs", "iterations", "over HiGHS's warm run")
        years = one["years"]
        text += f"\n{years} year{'s' if years > 1 else ''}, {one['n_columns']:,} columns, "
        text += f"{one['n_goals']} goals, of which {one['programs_run']} took iterations from the "
        text += f"reference. From it {one['cold_over_warm']['of_medians']:.1f} times as fast as "
        text += "cold.\n\n" + _grid(head, starts)
    return text


def _report(found: dict[str, Any]) -> str:
    """Size of the page, time and memory, by the number of members."""
    lines = [
        (
            str(of["n_members"]),
            str(of["n_periods"]),
            f"{of['page_mb']:.1f}",
            *_spread(of["seconds"]),
            f"{of['processor_seconds']['median']:.1f}",
            f"{of['peak_mib']['median']:.0f}",
        )
        for of in found["sizes"]
    ]
    head = (
        "members", "periods", "page MB", "median s", "min–max s", "runs", "processor s",
        "peak MiB",
    )  # fmt: skip
    return f"\n### `wateralloc report` of `{found['case']}`\n\n" + _grid(head, lines)


def _calvin(found: dict[str, Any]) -> str:
    """California's network: what each way takes outside the solver, and its memory."""
    ways = {
        "stacked": "stacked (this project)",
        "by_hand": "arrays by hand",
        "linopy": "linopy",
        "calvin": "CALVIN's way, in Pyomo",
    }
    text = ""
    for size in found["sizes"]:
        years = size["years"]
        lines = [
            (
                name,
                *_spread(size["build_cpu_s"][way]),
                f"{size['read_cpu_s'][way]['median']:.3g}",
                f"{size['solve_cpu_s'][way]['median']:.3g}",
                f"{size['peak_mib'][way]['median']:.0f}",
            )
            for way, name in ways.items()
        ]
        head = (
            "way", "build and hand over, processor s", "min–max", "runs", "read, s",
            "HiGHS's run, s", "peak MiB",
        )  # fmt: skip
        worst = size["optimum"]["largest_relative_difference"]
        text += (
            f"\n### {years} {'year' if years == 1 else 'years'}\n\nOptima differ by {worst:.0e} of "
            f"themselves at most. The import, once, took {size['import_cpu_s']:.2g} s.\n\n"
            + _grid(head, lines)
        )
    longest = found.get("longest")
    if longest:
        certificate = longest["certificate"]
        lines = [
            (
                part,
                f"{longest[f'{part}_cpu_s']:.3g}",
                f"{longest[f'{part}_s']:.3g}",
                f"{longest[f'peak_mib_after_{part}']:.0f}",
            )
            for part in ("read", "solve", "write")
        ]
        run = longest["highs_run"]
        lines.insert(
            2, ("of it HiGHS's own run", f"{run['cpu_s']:.3g}", f"{run['seconds']:.3g}", "")
        )
        text += (
            f"\n### {longest['years']} years, the whole job\n\nOptimum {longest['optimum']}, "
            f"certified: primal {certificate['primal']:.0e}, dual {certificate['dual']:.0e}, gap "
            f"{certificate['gap']:.0e}.\n\n"
            + _grid(("part", "processor s", "s", "peak MiB after it"), lines)
        )
    return text


def _growth(found: dict[str, Any]) -> str:
    """Size by size along each line."""
    lines = [
        (
            name,
            f"{point['n_nodes']:,} × {point['n_periods']:,} × {point['n_members']:,}",
            f"{point['cells']:.0e}",
            f"{point['build_cpu_s']['median']:.3g}",
            f"{point['memory_mib']['median']:.3g}",
        )
        for name, line in found["lines"].items()
        for point in line["points"]
    ]
    head = ("line", "nodes × periods × members", "cells", "build, processor s", "memory, MiB")
    return "\n" + _grid(head, lines)


def _solvers(found: dict[str, Any]) -> str:
    """Algorithms, program by program."""
    lines = [
        (
            program,
            name,
            f"{of['run_cpu_s']:.3g}",
            *("–" if value is None else f"{value:.0e}" for value in of["certificate"].values()),
            _yes(of["is_certified"]),
            _yes(of["has_basis"]),
        )
        for program, ways in found["programs"].items()
        for name, of in ways.items()
        if of
    ]
    head = (
        "program", "algorithm", "run, processor s", "primal", "dual", "gap", "certified", "basis",
    )  # fmt: skip
    return f"\nHiGHS {found['highs']}, one thread, cold.\n\n" + _grid(head, lines)


def _date(found: dict[str, Any], path: Path) -> str:
    """Day of the measurement: as the file says, else that of its last commit, else of the file."""
    if "date" in found:
        return str(found["date"])[:10]
    asked = ["git", "log", "-1", "--format=%cs", "--", str(path)]
    try:
        done = subprocess.run(asked, cwd=HERE, capture_output=True, text=True, check=False)
        is_changed = subprocess.run(
            ["git", "diff", "--quiet", "HEAD", "--", str(path)], cwd=HERE, check=False
        ).returncode
        if done.stdout.strip() and not is_changed:
            return done.stdout.strip()
    except OSError:
        pass  # without git, the file itself
    return datetime.fromtimestamp(path.stat().st_mtime).date().isoformat()


def _spread(figures: dict[str, Any]) -> tuple[str, str, str]:
    low, high = (f"{figures[key]:.3g}" for key in ("min", "max"))
    return f"{figures['median']:.3g}", f"{low}–{high}", str(figures["runs"])


def _mib(memory: dict[str, float]) -> str:
    return f"{memory['above_start_mib']:.0f}"


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "**no**"


def _grid(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    side = ["---", *["---:"] * (len(head) - 1)]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in (head, side, *rows))


if __name__ == "__main__":
    write(HERE / "_generated")
