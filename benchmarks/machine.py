"""What the numbers were measured on."""

import os
import platform
import subprocess
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent


def describe() -> dict[str, object]:
    """Describe this machine, its load before the run, and the commit measured.

    Returns
    -------
    dict
        Plain values for the JSON file.
    """
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
        "commit": _git("rev-parse", "--short=12", "--verify", "HEAD"),
        "changed": bool(_git("status", "--porcelain")),
    }


def _cpu() -> str | None:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return None


def _git(*arguments: str) -> str | None:
    """Return what git says; None without git, outside a repository or before its first commit."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
