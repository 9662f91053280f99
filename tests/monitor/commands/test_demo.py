"""`slicewatch demo`: one device goes dark under a stable total, and one message says so."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from alerts.model import Incident, Kind, State, TotalState
from monitor import store
from monitor.cli import COMMANDS, slicewatch
from monitor.demo import DEVICE_NAMES
from tests.documents import ALERT, PAGES, README, SHOWN, messages, shown
from tests.monitor.commands.place import PROGRAM

pytestmark = pytest.mark.xdist_group("demo")

FIVE_LARGEST, SMALL = DEVICE_NAMES[:5], "watch"
BEGAN, ENDED = "2026-03-04 08:00", "2026-03-04 14:00"


@dataclass(frozen=True)
class Story:
    """What a demo printed, and the folder it left."""

    out: str
    folder: Path

    @property
    def messages(self) -> list[str]:
        """The messages that the console got, without their rulers."""
        return messages(self.out)

    @property
    def raised(self) -> list[Incident]:
        """Incidents that fired, as the store has them."""
        with reading(self.folder) as tx:
            return [incident for incident in store.incidents(tx) if incident.raised_at is not None]


@contextmanager
def reading(folder: Path) -> Iterator[store.Tx]:
    state = store.Store.open(f"sqlite:///{folder / 'slicewatch.db'}")
    try:
        with state.read() as tx:
            yield tx
    finally:
        state.close()


def told(folder: Path, *args: str) -> Story:
    """A demo in this process."""
    run = CliRunner().invoke(slicewatch, ["demo", "--folder", str(folder), *args])
    assert run.exit_code == 0, run.stderr
    return Story(run.stdout, folder)


def check_story(story: Story, device: str) -> None:
    """The issue's promise: one incident whose cause is the device and nothing narrower, told while it lasts."""
    (incident,) = story.raised
    assert (incident.kind, dict(incident.cause.terms)) == (Kind.DROP, {"device": device})
    assert incident.causes == ()
    assert f"{incident.since:%Y-%m-%d %H:%M}" == BEGAN
    assert f"{incident.until:%Y-%m-%d %H:%M}" == ENDED
    assert incident.evidence is not None
    assert incident.evidence.total_state is TotalState.STABLE
    assert incident.state is State.RESOLVED
    first, last = story.messages[0], story.messages[-1]
    assert first.startswith(f"CRITICAL playback_volume: device={device} stopped\n")
    assert "\n\nThe total is stable (" in first
    assert named(first, "Not affected") <= set(DEVICE_NAMES) - {device}
    assert named(first, "Not affected")
    assert last.startswith(f"RESOLVED playback_volume: device={device} is back to normal\n")
    assert "\n1 incident raised.\n" in story.out


def named(message: str, label: str) -> set[str]:
    """Devices that a fact of a message lists."""
    line = next((line for line in message.splitlines() if line.strip().startswith(label)), "")
    return set(re.findall(r"device=(\w+)", line))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """`slicewatch demo` as `make demo` runs it: its own process, its own five million events, in its own folder."""
    here = tmp_path_factory.mktemp("demo")
    run = subprocess.run([PROGRAM, "demo"], cwd=here, capture_output=True, text=True, check=True)
    return Story(run.stdout, here / "demo")


def test_the_demo_tells_its_story(story):
    """Five million events, the largest device: one incident, fine siblings, a stable total, an end."""
    check_story(story, "iphone")
    assert len(story.messages) == 2


def test_the_readme_shows_the_alert_that_is_sent(story):
    """Word for word what the demo prints; `python -m tests.documents` writes it anew."""
    (block,) = ALERT.findall(README.read_text(encoding="utf-8"))
    assert block == story.messages[0]


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_pages_show_what_commands_print_on_the_demo(story, page):
    """Word for word; `python -m tests.documents` writes them anew."""
    text = page.read_text(encoding="utf-8")
    assert SHOWN.search(text)
    assert shown(text, str(story.folder.parent)) == text


def test_the_demo_says_what_the_total_did_and_where_to_look_next(story):
    """Hour by hour the device at zero and the total beside it; each suggestion is a command and files that exist."""
    lines = story.out.splitlines()
    hours = [line for line in lines if re.match(r"  2026-03-04 (08|09|10|11|12|13):00 ", line)]
    assert len(hours) == 6
    for hour in hours:
        seen, _, total, expected = (int(word.replace(",", "")) for word in re.findall(r"(?<= )[\d,]+(?=$| )", hour))
        assert seen == 0
        assert 0.9 < total / expected < 1.1
    suggested = [line.split() for line in lines if line.startswith("  slicewatch ")]
    assert {words[1] for words in suggested} == {"status", "replay", "demo"} <= set(COMMANDS)
    for words in suggested:
        run = CliRunner().invoke(slicewatch, [words[1], "--help"])
        assert all(option in run.output for option in words if option.startswith("--"))
        if "--config" in words:
            assert (story.folder.parent / words[words.index("--config") + 1]).is_file()
    assert suggested[-1][suggested[-1].index("--device") + 1] in DEVICE_NAMES


def test_the_folder_can_be_looked_at_with_the_other_commands(story):
    """What the demo suggests works on what it left: nothing is open, and a replay of two days finds the same alone."""
    config = str(story.folder / "slicewatch.toml")
    status = CliRunner().invoke(slicewatch, ["status", "--config", config])
    assert status.exit_code == 0
    assert "0 waiting, 0 given up" in status.stdout
    line = next(line for line in story.out.splitlines() if line.startswith("  slicewatch replay "))
    stretch = line.split()[line.split().index("--from") :]
    replay = CliRunner().invoke(slicewatch, ["replay", "--config", config, *stretch])
    assert replay.exit_code == 0
    (row,) = replay.stdout.splitlines()[1:]
    assert re.split(r" {2,}", row)[1:3] == ["critical drop", "device=iphone"]


@pytest.mark.parametrize(
    ("seed", "device"),
    [
        pytest.param(3, "smart_tv", marks=pytest.mark.soak),
        pytest.param(0, "web_desktop", marks=pytest.mark.soak),
        pytest.param(7, "android_phone", marks=pytest.mark.soak),
    ],
)
def test_a_smaller_lake_tells_the_same(tmp_path, seed, device):
    """A million events, other seeds, other devices."""
    check_story(told(tmp_path / "demo", "--seed", str(seed), "--device", device, "--events", "1000000"), device)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("device", [*FIVE_LARGEST, SMALL])
def test_every_device_on_every_seed(tmp_path, seed, device):
    """The issue's matrix: the five largest devices and a small one, on ten seeds."""
    check_story(told(tmp_path / "demo", "--seed", str(seed), "--device", device), device)


@pytest.mark.soak
def test_the_same_seed_tells_the_same_story(tmp_path, monkeypatch):
    """Run again over what the first run left: the same words."""
    monkeypatch.chdir(tmp_path)
    small = ("--events", "100000", "--seed", "5")
    assert told(Path("demo"), *small).out == told(Path("demo"), *small).out


@pytest.mark.parametrize("theirs", ["notes.txt", "slicewatch.toml", "lake/events.parquet"])
def test_a_folder_of_somebody_elses_is_left_alone(tmp_path, theirs):
    """A configuration that no demo wrote is no demo, even with a lake and a store beside it."""
    for name in dict.fromkeys((theirs, "rules/mine.yaml", "slicewatch.db")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    run = CliRunner().invoke(slicewatch, ["demo", "--folder", str(tmp_path)])
    assert run.exit_code == 2
    assert "is not empty and holds no demo: choose another --folder" in run.output
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--device", "fridge"), "'fridge' is not one of"),
        (("--events", "5"), "5 is not in the range x>=100000"),
        (("--folder", "taken"), "'taken' is a file"),
    ],
)
def test_what_cannot_be_shown_is_refused(tmp_path, monkeypatch, args, words):
    """With the choices there are."""
    monkeypatch.chdir(tmp_path)
    Path("taken").write_text("")
    run = CliRunner().invoke(slicewatch, ["demo", *args])
    assert run.exit_code == 2
    assert words in run.output
