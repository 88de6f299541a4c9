"""Broken case files: what is said of them, whole.

Each folder ``case_*`` holds ``case.yaml`` and ``expected.txt``, and may hold ``set.txt`` with one
``--set`` a line.  Beside the case stands the tiny basin, in the folder ``basin``.
"""

import shutil
from pathlib import Path

import pytest

from tests.basins import tiny_basin
from wateralloc.case import read_case
from wateralloc.errors import InputError

FOLDERS = sorted(path for path in Path(__file__).parent.glob("case_*") if path.is_dir())


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
        read_case("case.yaml", changes)

    expected = (folder / "expected.txt").read_text(encoding="utf-8")
    assert f"{caught.value}\n" == expected
    assert caught.value.exit_code == 2
    assert not (here / "results").exists()


def test_there_are_folders():
    assert len(FOLDERS) >= 18
