"""headwater_protection above a town, by hand: 4 hm3 a day rise in the hills, 1 at the lake."""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.errors import InputError

GOLDEN = Path(__file__).parent / "golden" / "headwater_protection.lp"
KEEP = [{"meet": {}}, {"maximise": {"quantity": "storage_end", "when": "last"}}]


def river(folder, goals=({"meet": {}},), more=None, hills=(4, 4, 4), **rule):
    """``hills -> lake -> town -> sea``; tea in the hills, a mill at the lake, the town's users."""
    clause = {"rule": "headwater_protection", "name": "headwater", "above": "town"}
    if "nodes" in rule:
        del clause["above"]
    n = len(hills)
    return make_case(
        folder,
        periods=n,
        goals=goals,
        rules=[clause | rule],
        more=more,
        nodes=[
            {"name": "hills", "kind": "inflow"},
            {"name": "pond", "kind": "reservoir"},
            {"name": "lake", "kind": "reservoir"},
            {"name": "town", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "upper", "from": "hills", "to": "lake", "kind": "reach"},
            {"name": "brook", "from": "pond", "to": "lake", "kind": "reach"},
            {"name": "outlet", "from": "lake", "to": "town", "kind": "turbine"},
            {"name": "lower", "from": "town", "to": "sea", "kind": "reach"},
        ],
        reservoirs=[
            {"name": "pond", "dead_hm3": 0, "normal_hm3": 20, "initial_hm3": 10, "target_hm3": 0},
            {"name": "lake", "dead_hm3": 0, "normal_hm3": 100, "initial_hm3": 60, "target_hm3": 0},
        ],
        demands=[
            {"name": "tea", "node": "hills", "sector": "irrigation", "annual_hm3": 3 * 365},
            {"name": "mill", "node": "lake", "sector": "industry", "annual_hm3": 2 * 365},
            {"name": "farm", "node": "town", "sector": "irrigation", "annual_hm3": 20 * 365},
        ],
        series=inflow(hills=list(hills), lake=[1] * n),
    )


def test_no_withdrawal_above_the_section(tmp_path):
    """The town's own farm is not above it."""
    _, values = solve(river(tmp_path, withdrawal_share=0))
    assert values["withdrawal"]["tea"] == [0, 0, 0]
    assert values["withdrawal"]["mill"] == [0, 0, 0]
    assert values["withdrawal"]["farm"] == pytest.approx([20, 20, 20])


def test_a_share_of_what_rises_at_the_node(tmp_path):
    """Half of 4 in the hills, half of 1 at the lake, whatever comes to it from above."""
    goals = [{"meet": {"demands": ["tea", "mill"]}}]
    _, values = solve(river(tmp_path, goals=goals, withdrawal_share=0.5))
    assert values["withdrawal"]["tea"] == pytest.approx([2, 2, 2])
    assert values["withdrawal"]["mill"] == pytest.approx([0.5, 0.5, 0.5])


def test_only_some_sectors_and_days(tmp_path):
    goals = [{"meet": {"demands": ["tea", "mill"]}}]
    second = {"from": "01-02", "to": "01-02", "value": 0.25}
    case = river(tmp_path, goals=goals, withdrawal_share=second, sectors=["irrigation"])
    _, values = solve(case)
    assert values["withdrawal"]["tea"] == pytest.approx([3, 1, 3])
    assert values["withdrawal"]["mill"] == pytest.approx([2, 2, 2])


def test_each_reservoir_keeps_a_share_of_normal_storage(tmp_path):
    """50 of 100 and 10 of 20 on the third day: 15 that come and 60 + 10 - 60 may be used, of 75."""
    third = {"from": "01-03", "to": "01-03", "value": 0.5}
    _, values = solve(river(tmp_path, minimum_storage_share=third))
    assert values["storage_end"]["lake"][2] == pytest.approx(50)
    assert values["storage_end"]["pond"][2] == pytest.approx(10)
    assert sum(map(sum, values["withdrawal"].values())) == pytest.approx(15 + 70 - 60)


def test_all_reservoirs_together_keep_a_volume(tmp_path):
    """30 in both: 15 that come and 70 - 30 may be used."""
    _, values = solve(river(tmp_path, minimum_storage_hm3=30))
    stored = [a + b for a, b in zip(*values["storage_end"].values(), strict=True)]
    assert min(stored) == pytest.approx(30)
    assert sum(map(sum, values["withdrawal"].values())) == pytest.approx(15 + 70 - 30)


def test_a_share_of_natural_flow_goes_on(tmp_path):
    """Of 4 in the hills 2, of 4 + 1 at the lake 2.5; the rest is kept. The pond has no river."""
    goals = [{"meet": {"demands": ["tea"]}}, {"minimise": "release"}]
    case = river(tmp_path, goals=goals, nodes=["hills", "lake"], river_share=0.5)
    _, values = solve(case)
    assert values["withdrawal"]["tea"] == pytest.approx([2, 2, 2])
    assert values["release"]["lake"] == pytest.approx([2.5] * 3)


def test_a_share_of_the_inflow_of_the_node_itself(tmp_path):
    goals = [{"minimise": "release"}]
    _, values = solve(river(tmp_path, goals=goals, river_share=0.5, river_share_of="local"))
    assert values["release"]["lake"] == pytest.approx([0.5] * 3)


def test_each_member_has_its_own_inflow(tmp_path):
    """2 of 4 a day in January of 2001; a half of 1 in 2002."""
    more = {
        "timeline": {"start": "2030-01-01", "periods": 1, "step": "month"},
        "hydrology": {"years": ["2001-01", "2002-01"]},
    }
    goals = [{"meet": {"demands": ["tea"]}}]
    case = river(tmp_path, goals=goals, more=more, hills=[4] * 31 + [1] * 370,
                 withdrawal_share=0.5)  # fmt: skip
    solution, _ = solve(case)
    withdrawal = next(q for q in solution.period.quantities() if q.name == "withdrawal")
    taken = solution.value_of(withdrawal, "tea")
    assert taken[:, 0] == pytest.approx([31 * 2, 31 * 0.5])


def test_soft_it_falls_short_where_it_must(tmp_path):
    """3 of tea and 2 of the mill a day, where 2 and 0.5 are allowed."""
    goals = [{"meet": {}}, {"minimise": "spill"}]
    solution, _ = solve(river(tmp_path, goals=goals, withdrawal_share=0.5, soft={"goal": 2}))
    stage = solution.stages[0][1]
    assert (stage.name, stage.value) == ("2 keep headwater", pytest.approx(3 * (1 + 1.5)))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({}, "protects nothing"),
        ({"nodes": ["hills"], "above": "town", "withdrawal_share": 0}, "either nodes or above"),
        ({"minimum_storage_share": 0.1, "minimum_storage_hm3": 9}, "give either minimum_storage_s"),
        ({"minimum_storage_share": 0.1, "sectors": ["industry"]}, "sectors but no withdrawal"),
        ({"above": "hills", "withdrawal_share": 0}, "E327 no node lies above 'hills'"),
        ({"nodes": ["pond"], "withdrawal_share": 0}, "E327 no user draws at these nodes"),
        ({"nodes": ["hills"], "minimum_storage_hm3": 1}, "E327 no reservoir stands at these nodes"),
        ({"minimum_storage_hm3": 121}, r"E327 .* is 121 but .* \(pond, lake\) hold 120 hm3"),
        ({"nodes": ["pond"], "river_share": 0.1, "river_share_of": "local"},
         "E327 no node has inflow of its own"),
        ({"withdrawal_share": 1.5}, "E303 withdrawal_share is 1.5; a share must be 0 to 1"),
        ({"nodes": ["hils"], "withdrawal_share": 0}, "E313 unknown node 'hils'; did you mean"),
        ({"withdrawal_share": 0, "sectors": ["industri"]}, "E313 unknown sector 'industri'"),
    ],
)  # fmt: skip
def test_faults(tmp_path, rule, text):
    with pytest.raises(InputError, match=text):
        river(tmp_path, **rule)


def test_golden(tmp_path):
    case = river(tmp_path, withdrawal_share=0.5, minimum_storage_share=0.1, river_share=0.5)
    check_golden(case, GOLDEN)
