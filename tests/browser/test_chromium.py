"""Which browser is taken, and what a machine without one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser import chromium


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder where programs are found."""
    monkeypatch.delenv(chromium.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)


def write_program(path: Path, text: str = "") -> str:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_first_on_path_is_taken(path: Path) -> None:
    for name in reversed(chromium.NAMES):
        program = write_program(path / name)
        assert chromium.find_browser() == program
    assert chromium.main() is None


def test_named_one_goes_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_program(path / "chromium")
    named = write_program(path / "another browser")
    monkeypatch.setenv(chromium.VARIABLE, named)
    assert chromium.find_browser() == named


def test_named_one_is_not_replaced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_program(path / "chromium")
    monkeypatch.setenv(chromium.VARIABLE, "/nowhere/chrome")
    told = "WATERALLOC_BROWSER names /nowhere/chrome, which cannot be run"
    with pytest.raises(chromium.NoBrowser, match=told):
        chromium.find_browser()
    assert chromium.main() == told


def test_tests_without_a_browser_fail(path: Path) -> None:
    with pytest.raises(chromium.NoBrowser, match="apt-get install chromium fonts-dejavu-core"):
        chromium.find_browser()


@pytest.mark.usefixtures("user")
def test_user_is_told_what_to_install(path: Path) -> None:
    write_program(path / "apt-get", f"echo > {path / 'asked'}")
    assert chromium.main() == chromium.NEEDED
    assert not (path / "asked").exists()


@pytest.mark.usefixtures("root", "path")
def test_root_without_apt_is_told_what_to_install() -> None:
    assert chromium.main() == chromium.NEEDED


@pytest.mark.usefixtures("root")
def test_root_gets_the_browser(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    browser = path / "chromium"
    making = f'echo "$DEBIAN_FRONTEND $*" >> {path / "asked"}; echo noise; echo noise >&2\n'
    making += f'[ "$4" = update ] || {{ echo > {browser}; /bin/chmod +x {browser}; }}'
    write_program(path / "apt-get", making)
    assert chromium.main() is None
    assert chromium.find_browser() == str(browser)
    assert (path / "asked").read_text().splitlines() == [
        "noninteractive -qq -o DPkg::Lock::Timeout=300 update",
        "noninteractive -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "
        "chromium fonts-dejavu-core",
    ]
    assert capfd.readouterr().out == "== installing chromium and fonts-dejavu-core, for tests\n"


@pytest.mark.usefixtures("root")
def test_failure_of_apt_is_told(path: Path) -> None:
    write_program(path / "apt-get", "echo E: no such package; exit 100")
    said = chromium.main()
    assert said is not None
    assert said.startswith("E: no such package\n\napt-get update failed; ")
    assert chromium.NEEDED in said
