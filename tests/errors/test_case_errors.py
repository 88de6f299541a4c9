"""Broken case files: what is said of them, whole.

Each folder holds ``case.yaml`` and ``expected.txt``, and may hold ``set.txt`` with one ``--set`` a
line.  Beside the case stands the tiny basin, in the folder ``basin``, with what the folder has of
its own there.  Folders ``case_*`` are of the case as such; ``rule_*`` and ``goal_*`` are of the
clauses, one for each kind, and their faults may show only when the period is built.
"""

import shutil
from pathlib import Path

import pytest

from tests.basins import tiny_basin
from wateralloc.case import read_case
from wateralloc.errors import InputError
from wateralloc.period import build_period

FOLDERS = sorted(
    path
    for of in ("case", "rule", "goal")
    for path in Path(__file__).parent.glob(f"{of}_*")
    if path.is_dir()
)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_faults_of_a_case_are_told_whole(folder, tmp_path, monkeypatch):
    here = tmp_path / "here"
    shutil.copytree(folder, here)
    tiny_basin(here / "basin")
    monkeypatch.chdir(here)
    sets = here / "set.txt"
    lines = sets.read_text(encoding="utf-8").splitlines() if sets.exists() else []
    changes = dict(line.split("=", 1) for line in lines)

    with pytest.raises(InputError) as caught:
        build_period(read_case("case.yaml", changes))

    expected = (folder / "expected.txt").read_text(encoding="utf-8")
    assert f"{caught.value}\n" == expected
    assert caught.value.exit_code == 2
    assert not (here / "results").exists()


def test_there_are_folders():
    assert len(FOLDERS) >= 18
