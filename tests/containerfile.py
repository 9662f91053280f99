"""What a Containerfile must be like to be shipped: read into instructions, and judged. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

BUILDS = re.compile(r"\b(pip3? (--python \S+ )?install|apt-get|apk|gcc|make|hatchling|uv) ?")


@dataclass(frozen=True)
class Instruction:
    """One of them: its word, its flags (`--from=build`), and the rest."""

    word: str
    flags: tuple[str, ...]
    rest: str

    @property
    def words(self) -> list[str]:
        """The rest, in words; of the JSON form its strings."""
        return list(json.loads(self.rest)) if self.rest.startswith("[") else self.rest.split()


def instructions(text: str) -> list[Instruction]:
    """All of them; lines that end in a backslash go on, comments do not count."""
    lines = "\n".join(line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    return [_instruction(line) for line in lines.replace("\\\n", " ").splitlines()]


def _instruction(line: str) -> Instruction:
    word, _, rest = line.strip().partition(" ")
    flags = []
    while rest.startswith("--"):
        flag, _, rest = rest.partition(" ")
        flags.append(flag)
    return Instruction(word.upper(), tuple(flags), rest.strip())


def stages(found: Sequence[Instruction]) -> list[list[Instruction]]:
    """Each begins with its FROM; what stands before the first belongs to all."""
    made: list[list[Instruction]] = []
    for item in found:
        if item.word == "FROM":
            made.append([])
        if made:
            made[-1].append(item)
    return made


def problems(text: str) -> list[str]:
    """What is wrong with it, a line each."""
    found = instructions(text)
    defaults = dict(item.rest.split("=", 1) for item in found if item.word == "ARG" and "=" in item.rest)
    return [*_bases(found, defaults), *_fetched(found), *_last(stages(found))]


def _bases(found: Sequence[Instruction], defaults: dict[str, str]) -> Iterator[str]:
    names: set[str] = set()
    for item in (item for item in found if item.word == "FROM"):
        base, *named = item.words
        base = re.sub(r"\$\{(\w+)\}", lambda match: defaults.get(match[1], ""), base)
        if base not in names and not re.fullmatch(r"[^:@]+(:[\w.-]*\d[\w.-]*)?(@sha256:[0-9a-f]{64})?", base):
            yield f"{base} names no version"
        if base not in names and ":" not in base:
            yield f"{base} is whatever is newest"
        names |= set(named[1:])
    for item in found:
        for flag in item.flags:
            if flag.startswith("--from=") and flag.removeprefix("--from=") not in names:
                yield f"there is no stage {flag.removeprefix('--from=')}"


def _fetched(found: Sequence[Instruction]) -> Iterator[str]:
    for item in found:
        if item.word == "ADD":
            yield "ADD unpacks and fetches: COPY does what it says"
        if item.word == "RUN" and re.search(r"\b(curl|wget)\b", item.rest):
            yield f"fetched without a hash: {item.rest}"
        if item.word == "RUN":
            for command in re.split(r"&&|;", item.rest):
                asked = re.search(r"\bpip(?:3)?\b.*\binstall\b", command)
                if asked and "--require-hashes" not in command and "--no-index" not in command:
                    yield f"installed without hashes: {command.strip()}"


def _last(made: Sequence[Sequence[Instruction]]) -> Iterator[str]:
    if len(made) < 2:
        yield "what builds is shipped: there is one stage only"
    last = made[-1]
    users = [item.rest for item in last if item.word == "USER"]
    if not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]):
        yield "it runs as root, or as a name that Kubernetes cannot tell from root: USER is a number"
    for word in ("HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT", "CMD"):
        if not any(item.word == word for item in last):
            yield f"it has no {word}"
    for item in last:
        shell = item.rest.removeprefix("CMD ")
        if item.word in ("ENTRYPOINT", "CMD", "HEALTHCHECK") and not shell.startswith("["):
            yield f"{item.word} goes through a shell, which hands no signal on"
        if item.word == "RUN" and BUILDS.search(item.rest):
            yield f"the last stage builds: {item.rest}"
        if item.word in ("ENV", "ARG") and re.search(r"(?i)(password|secret|token|_key)\s*=", item.rest):
            yield f"a secret in the image: {item.rest}"
