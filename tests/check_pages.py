"""The generated parts of docs/checks/: head, example and suppression of each page, and the index.

`.venv/bin/python -m tests.check_pages` writes them anew; a test compares. What a page says in words is written by hand.
An example is a file of tests/rules/broken, or a place of tests/monitor/broken where it takes more than one rule file.
"""

from __future__ import annotations

import re
import tempfile
from datetime import UTC, datetime
from functools import partial
from io import StringIO
from pathlib import Path

from monitor.app import open_notifier
from monitor.commands.check import World, run_check
from monitor.opening import open_source
from rules.codes import CODES, GROUPS, Code
from tests.standins.slack import SlackStandin

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "checks"
RULES, PLACES = ROOT / "tests" / "rules" / "broken", ROOT / "tests" / "monitor" / "broken"
HEADINGS = ("What it says", "Why it matters", "How to fix it", "Example", "How to suppress it")
SLACK = "https://slack.example.com/api/"
"""In a place: the Slack that stands in for the real one."""
NOW = datetime(2026, 3, 1, tzinfo=UTC)

_SECTION = re.compile(r"^-- (.+) --\n", re.MULTILINE)
_FOUND = re.compile(r"(?:error|warning)\[([a-z-]+)\]")
_COMMON = {
    "slicewatch.toml": """\
rules = ["rules/*.yaml"]

[sources.lake]
kind = "duckdb"
tables.playback = "lake/*.csv"

[receivers.oncall]
kind = "console"
""",
    "rules/playback.yaml": """\
rules:
  - name: playback_volume
    source: lake.playback
    timestamp: event_time
    dimensions: [device, os]
""",
    "lake/events.csv": """\
event_time,day,device,os,visits,weight
2026-01-01 00:30:00,2026-01-01,ios,17,3,0.5
2026-02-28 23:30:00,2026-02-28,tv,,4,0.5
""",
}
"""What a place holds unless it says otherwise."""


def parts(text: str) -> tuple[str, dict[str, str]]:
    """The command of a place, and its files by name; `expected` is what the command prints."""
    command, *rest = _SECTION.split(text)
    return command.strip(), dict(zip(rest[::2], rest[1::2], strict=True))


def printed(place: Path) -> str:
    """What the command of a place prints, in a folder that holds its files."""
    command, files = parts(place.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as name, SlackStandin() as slack:
        folder = Path(name)
        for file, text in {**_COMMON, **files}.items():
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_text(text.replace(SLACK, slack.url), encoding="utf-8")
        return _answer(folder, command).replace(f"{folder.as_posix()}/", "")


def _answer(folder: Path, command: str) -> str:
    out, online = StringIO(), "--online" in command
    env = dict(re.findall(r"(\w+)=(\S+) ", command.partition("slicewatch")[0]))
    world = World(open_source, partial(open_notifier, out=out))
    run_check(folder / "slicewatch.toml", online=online, env=env, out=out, now=NOW, world=world)
    return out.getvalue()


def problems_in(output: str) -> str:
    """What was printed, without the summary."""
    return output.rpartition("\n\n")[0].strip("\n") + "\n"


def example(code: str, before: str = "") -> str:
    """Markdown: what is wrong, the command, and the answer; the case that a page shows already where it can stay."""
    place = PLACES / f"{code}.txt"
    if place.exists():
        command, files = parts(place.read_text(encoding="utf-8"))
        answer = files.pop("expected", "")
        shown = [f"`{name}`:\n\n{_fenced(text, name.rpartition('.')[2])}" for name, text in files.items()]
    else:
        file = _case(code, before)
        command, answer = "slicewatch check", file.with_suffix(".expected").read_text(encoding="utf-8")
        shown = [f"`{file.name}`:\n\n{_fenced(file.read_text(encoding='utf-8'), 'yaml')}"]
    return "\n\n".join([*shown, f"`{command}` answers:", _fenced(answer, "text")])


def _fenced(text: str, language: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```"


def _case(code: str, before: str) -> Path:
    """The smallest case of the corpus that shows this code and no other, unless another one is shown already."""
    cases = [file.with_suffix(".yaml") for file in sorted(RULES.glob("*.expected")) if _only(file, code)]
    return min(cases, key=lambda file: (f"`{file.name}`:" not in before, len(file.read_bytes())))


def _only(expected: Path, code: str) -> bool:
    return set(_FOUND.findall(expected.read_text(encoding="utf-8"))) == {code}


def page(code: Code, text: str) -> str:
    """A page with its generated parts as they are now, its words as they are."""
    words = {head: _section(text, head) for head in HEADINGS[:3]}
    words |= {"Example": example(code.name, text), "How to suppress it": _suppression(code)}
    severity = "a warning" if code.warning else "an error"
    command = "slicewatch check --online" if code.online else "slicewatch check"
    head = f"# {code.name}\n\n{code.meaning} It is {severity}, found by `{command}`. [All checks](README.md)\n"
    return "\n".join([head, *(f"## {name}\n\n{body}\n" for name, body in words.items())])


def _section(text: str, heading: str) -> str:
    found = re.search(rf"^## {heading}\n\n(.*?)(?=\n+## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def _suppression(code: Code) -> str:
    if code.about_suppressing:
        return "It cannot be suppressed."
    if not code.suppressible:
        return "It cannot be suppressed: something does not run because of it."
    return f"""\
By a comment on its line, alone on the line above, or on the first line of its rule or table, with a reason:

```yaml
# slicewatch: disable={code.name} why it may be so here
```"""


def index() -> str:
    """The page that lists them all."""
    head = (FOLDER / "README.md").read_text(encoding="utf-8").partition("\n## ")[0].rstrip()
    groups = [f"## {title}\n\n{_rows(codes)}" for title, codes in GROUPS.items()]
    return "\n\n".join([head, *groups]) + "\n"


def _rows(codes: tuple[Code, ...]) -> str:
    rows = [f"| [`{c.name}`]({c.name}.md) | {'warning' if c.warning else 'error'} | {c.meaning} |" for c in codes]
    return "\n".join(["| code | | what it says |", "|---|---|---|", *rows])


def main() -> None:
    """Write all of them anew, and the answers of the places."""
    for place in sorted(PLACES.glob("*.txt")):
        kept = place.read_text(encoding="utf-8").partition("-- expected --\n")[0]
        place.write_text(f"{kept}-- expected --\n{problems_in(printed(place))}", encoding="utf-8")
    for code in CODES.values():
        file = FOLDER / f"{code.name}.md"
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        file.write_text(page(code, text), encoding="utf-8")
    (FOLDER / "README.md").write_text(index(), encoding="utf-8")


if __name__ == "__main__":
    main()
