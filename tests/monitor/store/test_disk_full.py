"""A disk that is really full."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.monitor.store.processes import command, finish


def _check(report: dict[str, object]) -> None:
    assert report["full"], report
    assert "cannot be written: the disk (or a quota or file-size limit) is full" in str(report["error"])
    assert "\n" not in str(report["error"])
    assert report["kept"], "the failed step left something behind, or took something away"
    assert report["retried"], "with room again the same step must work"
    assert report["steps"], "something must have been written before"


def test_a_full_disk_is_told_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    """A file system of 3 MB of its own: the step that finds no room is rolled back, and works once there is some."""
    mount = f"mount -t tmpfs -o size=3m tmpfs {tmp_path}"
    unshare = next((way for way in (["unshare", "-m"], ["unshare", "-rm"]) if _can(way, mount)), None)
    if unshare is None:
        pytest.skip("no rights to mount a small file system; the file-size limit is tried instead")
    line = " ".join(command("full_disk", f"sqlite:///{tmp_path}/slicewatch.db", str(tmp_path)))
    _check(json.loads(finish([*unshare, "sh", "-c", f"{mount} && exec {line}"])))


def _can(way: list[str], mount: str) -> bool:
    if shutil.which(way[0]) is None:
        return False
    return subprocess.run([*way, "sh", "-c", mount], capture_output=True, check=False).returncode == 0


def test_a_file_size_limit_is_told_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    """The same where a limit or quota stops the process, which needs no rights."""
    _check(json.loads(finish(command("full_limit", f"sqlite:///{tmp_path}/slicewatch.db"))))
