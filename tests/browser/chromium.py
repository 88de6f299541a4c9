"""Find the browser that pages are looked at in; `python -m tests.browser.chromium` brings one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

VARIABLE = "WATERALLOC_BROWSER"
NAMES = ("chromium", "chromium-browser", "google-chrome")
PACKAGES = ("chromium", "fonts-dejavu-core")  # the fonts have all letters of Vietnamese
NEEDED = (
    "tests look at pages in a browser, and there is none; "
    f"install one (on Debian, as root: apt-get install {' '.join(PACKAGES)}), "
    f"or name a Chromium or Chrome in {VARIABLE}"
)


class NoBrowser(Exception):
    """There is no browser; the text says what to do."""


def find_browser() -> str:
    """Return the path of the browser that WATERALLOC_BROWSER names, or else of the first on PATH.

    Raises
    ------
    NoBrowser
        The named one cannot be run, or none is on PATH.
    """
    named = os.environ.get(VARIABLE)
    for name in [named] if named else NAMES:
        if path := shutil.which(name):
            return path
    raise NoBrowser(f"{VARIABLE} names {named}, which cannot be run" if named else NEEDED)


def install() -> None:
    """Install Debian's browser, quietly.

    Raises
    ------
    NoBrowser
        The user is not root, there is no apt-get, or it failed: then with its last lines.
    """
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        raise NoBrowser(NEEDED)
    sys.stdout.write(f"== installing {' and '.join(PACKAGES)}, for tests\n")
    sys.stdout.flush()
    for command in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(
            [apt, "-qq", "-o", "DPkg::Lock::Timeout=300", *command],
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0:
            raise NoBrowser(f"{done.stdout[-2000:]}\napt-get {command[0]} failed; {NEEDED}")


def main() -> str | None:
    """Make sure that there is a browser; return what to do where there is none."""
    try:
        if not os.environ.get(VARIABLE) and not any(map(shutil.which, NAMES)):
            install()
        find_browser()
    except NoBrowser as error:
        return str(error)
    return None


if __name__ == "__main__":
    sys.exit(main())
