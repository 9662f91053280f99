"""The operators' file: `slicewatch.toml` in, Settings or problems with their place out."""

from __future__ import annotations

import glob
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError

from alerts.deliver import PACE
from alerts.operations import Maintenance, Operations, ReceiverPolicy, Route
from monitor.daemon_settings import (
    DaemonSettings,
    DaemonShape,
    LogSettings,
    LogShape,
    daemon_settings,
    log_settings,
)
from monitor.keeping import Retention
from monitor.operating import (
    Budget,
    DigestShape,
    MaintenanceShape,
    ReceiverShape,
    RouteShape,
    WeeklyPlan,
    budgets,
    digest_problems,
    maintenances,
    policies,
    receiver_problems,
    routes,
    weekly_plan,
)
from monitor.receiver_shapes import RECEIVERS, fields_of
from monitor.retention_settings import RetentionShape, retention
from monitor.selfwatch_settings import (
    CanaryShape,
    HeartbeatShape,
    Selfwatch,
    TracingShape,
    canary_problems,
    selfwatch,
)
from monitor.setting_values import (
    MissingSecretError,
    Reference,
    Scan,
    Secret,
    SettingsError,
    Timeout,
    UrlRef,
    Word,
    as_timeout,
)
from monitor.toml_places import Places, syntax_problem
from monitor.web_settings import WebSettings, WebShape, split_address, web_settings
from rules.document import Path as KeyPath
from rules.explain import Doc, described, explain, refusal
from rules.parse import defaults_problems
from rules.problem import Place, Problem, Span
from rules.suppress import Suppression, suppressions
from rules.vocabulary import did_you_mean
from rules.written import Layer

__all__ = [
    "MissingSecretError",
    "ReceiverSettings",
    "Secret",
    "Settings",
    "SettingsError",
    "SourceSettings",
    "load_settings",
    "missing_secrets",
    "parse_settings",
    "split_address",
]

DEFAULT_STORE = "sqlite:///slicewatch.db"
DEFAULT_TIMEOUT = timedelta(minutes=5)
DEFAULT_ACK_EXPIRES = timedelta(hours=8)
CONCURRENCY = {"duckdb": 2, "sql": 4}
"""By kind: a query over files keeps all cores of this machine busy by itself, one of a server none."""
MOST_ROWS = 10_000_000


@dataclass(frozen=True)
class SourceSettings:
    """One source. `tables` (duckdb) maps `playback` or `schema.playback` to globs; `url` is of kind sql."""

    name: str
    kind: Literal["duckdb", "sql"]
    tables: tuple[tuple[str, tuple[str, ...]], ...] = ()
    url: Secret | None = None
    timeout: timedelta = DEFAULT_TIMEOUT
    concurrency: int = CONCURRENCY["sql"]
    """Queries at once, in one process."""
    max_scan: int | None = None
    """Bytes that a query may read, where the engine can say beforehand."""
    max_rows: int = MOST_ROWS
    """Rows of an answer that are taken into memory."""
    folder: Path = Path()
    span: Span = field(default=Span(Place("")), repr=False, compare=False)

    def reveal_url(self) -> str:
        """The URL of a source of kind sql, a relative SQLite file taken from the folder of the settings."""
        if self.url is None:
            raise ValueError(f"the source {self.name} has no url")
        return anchored(self.url.reveal(), self.folder)


@dataclass(frozen=True)
class ReceiverSettings:
    """One receiver: `options` and `secrets` are its notifier's arguments by name; `channel` is what rules may call it."""

    name: str
    kind: str
    channel: str = ""
    options: tuple[tuple[str, object], ...] = ()
    secrets: tuple[tuple[str, Secret], ...] = ()
    pace: timedelta = PACE
    """Least time between two messages."""
    actors: tuple[str, ...] = ()
    """Ids of the users and user groups who may act there; empty is everybody in its channel."""
    span: Span = field(default=Span(Place("")), repr=False, compare=False)

    def arguments(self) -> dict[str, object]:
        """What its notifier is made from; raises `MissingSecretError`."""
        return dict(self.options) | {name: secret.reveal() for name, secret in self.secrets}


@dataclass(frozen=True)
class Settings:
    """The operators' file as it is meant; patterns and paths are relative to `folder`."""

    file: str
    folder: Path
    rules: tuple[str, ...]
    store: Secret
    sources: tuple[SourceSettings, ...] = ()
    receivers: tuple[ReceiverSettings, ...] = ()
    fallback: str | None = None
    """The receiver of rules that name none; the only receiver where there is one and no fallback is set."""
    web: WebSettings = field(default_factory=WebSettings)
    daemon: DaemonSettings = field(default_factory=DaemonSettings)
    log: LogSettings = field(default_factory=LogSettings)
    maintenance: tuple[Maintenance, ...] = ()
    """Windows in which nobody is told of some rules."""
    routes: tuple[Route, ...] = ()
    """Who is told of rules that name nobody."""
    policies: tuple[ReceiverPolicy, ...] = ()
    """When receivers are told, and who is where they do not answer."""
    budgets: tuple[Budget, ...] = field(default=(), compare=False)
    """How many false incidents receivers bear."""
    ack_expires: timedelta = DEFAULT_ACK_EXPIRES
    """How long an acknowledgement holds."""
    look_closer: bool = True
    """Whether columns outside of a rule are asked for the place of a loss that was just told."""
    weekly: WeeklyPlan | None = None
    """When the digest of a week is sent; None: never."""
    selfwatch: Selfwatch = field(default_factory=Selfwatch)
    """How others see that slicewatch itself works."""
    retention: Retention = field(default_factory=Retention)
    """How long everything is kept."""
    suppressions: tuple[Suppression, ...] = ()
    defaults: Layer = field(default_factory=Layer, compare=False, repr=False)
    """`[defaults]`: keys that hold for every rule whose files do not name them."""

    @property
    def listen(self) -> str:
        """Where the pages are served, and where answers from Slack arrive."""
        return self.web.listen

    @property
    def operations(self) -> Operations:
        """What the operators say about who is told."""
        return Operations(self.fallback, self.maintenance, self.routes, self.policies)

    def store_url(self) -> str:
        """The store's SQLAlchemy URL; raises `MissingSecretError`."""
        return anchored(self.store.reveal(), self.folder)

    def rule_paths(self) -> tuple[Path, ...]:
        """Rule files, in the order of the patterns, each once; names begin as the settings' own does."""
        found = (name for pattern in self.rules for name in self.matches(pattern))
        return tuple(dict.fromkeys(self.folder / name for name in found))

    def matches(self, pattern: str) -> tuple[str, ...]:
        """Files of one pattern of `rules`, sorted."""
        names = glob.glob(pattern, root_dir=self.folder, recursive=True)  # noqa: PTH207  Path's takes no absolute ones
        return tuple(sorted(name for name in names if (self.folder / name).is_file()))

    def roots(self) -> tuple[Path, ...]:
        """Folders below which rule files, and what they name, may lie: that of the settings, and each pattern's own."""
        folders = (re.split(r"[*?\[]", pattern)[0].rpartition("/")[0] for pattern in self.rules)
        return (self.folder, *(self.folder / name for name in folders if name))

    def source(self, name: str) -> SourceSettings | None:
        """The source of this name."""
        return next((source for source in self.sources if source.name == name), None)

    def receiver(self, name: str) -> ReceiverSettings | None:
        """The receiver a rule means: by its name, by its channel (`#recs-oncall`), or by its name after a '#'."""
        by_name = {receiver.name: receiver for receiver in self.receivers}
        by_channel = {receiver.channel: receiver for receiver in self.receivers if receiver.channel}
        return by_name.get(name) or by_channel.get(name) or by_name.get(name.removeprefix("#"))

    def secrets(self) -> tuple[Secret, ...]:
        """Every secret the file names."""
        urls = [source.url for source in self.sources]
        tokens = [secret for receiver in self.receivers for _, secret in receiver.secrets]
        found = (self.store, *urls, *tokens, *self.web.secrets(), *self.selfwatch.secrets())
        return tuple(secret for secret in found if secret is not None)


def anchored(url: str, folder: Path) -> str:
    """A SQLite URL of a relative file as one of an absolute file in `folder`; other URLs as they are."""
    found = re.fullmatch(r"(sqlite(?:\+\w+)?:///)(?!/|:memory:|file:|\?|$)([^?]*)(.*)", url)
    return f"{found[1]}{(folder / found[2]).absolute().as_posix()}{found[3]}" if found else url


def missing_secrets(settings: Settings) -> tuple[Problem, ...]:
    """A problem for each secret that could not be read now."""
    problems: list[Problem] = []
    for secret in settings.secrets():
        try:
            secret.reveal()
        except MissingSecretError as error:
            problems += error.problems
    return tuple(problems)


def load_settings(path: Path, env: Mapping[str, str]) -> Settings:
    """Read `slicewatch.toml`. Raises `SettingsError` with all its problems; secrets are read later, from `env`."""
    file = path.as_posix()
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        hint = "run `slicewatch init`, or name the file with --config"
        raise SettingsError((Problem(Place(file), "unreadable", f"cannot be read: {error.strerror}", hint),)) from None
    except UnicodeDecodeError as error:
        message = f"byte {error.start + 1} is not UTF-8"
        raise SettingsError((Problem(Place(file), "unreadable", message),)) from None
    return parse_settings(text, file, path.parent, env)


def parse_settings(text: str, file: str, folder: Path, env: Mapping[str, str]) -> Settings:
    """As `load_settings`, from a text."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError((syntax_problem(error, file),)) from None
    tables = [number for number, line in enumerate(text.splitlines(), start=1) if line.lstrip().startswith("[")]
    settings = _Reader(file, folder, env, Places(text, file)).read(data)
    return replace(settings, suppressions=suppressions(text, file, tables, toml=True))


# --- shapes -----------------------------------------------------------------------------------------------------


def _globs(raw: object) -> tuple[str, ...]:
    globs = raw if isinstance(raw, list) else [raw]
    if not globs or not all(isinstance(item, str) and item for item in globs):
        raise refusal("wrong-type", f"{described(raw)} names no files", 'write "lake/playback/**/*.parquet"')
    return tuple(globs)


def _tables(raw: object) -> dict[str, tuple[str, ...]]:
    """`tables.playback`, and `tables.events.playback` as `events.playback`."""
    if not isinstance(raw, dict):
        raise refusal("wrong-type", "'tables' maps names to files", 'write tables.NAME = "lake/**/*.parquet"')
    tables: dict[str, tuple[str, ...]] = {}
    for name, value in raw.items():
        inner = value if isinstance(value, dict) else {"": value}
        tables |= {f"{name}.{part}" if part else name: _globs(files) for part, files in inner.items()}
    return tables


class _StoreShape(BaseModel):
    model_config = ConfigDict(extra="forbid", title="[store]")

    url: UrlRef = Reference("plain", DEFAULT_STORE)


Count = Annotated[int, Field(strict=True, ge=1)]


class _SourceShape(BaseModel):
    """What holds for sources of every kind."""

    timeout: Timeout = DEFAULT_TIMEOUT
    concurrency: Annotated[Count | None, Field(le=64)] = None
    max_scan: Scan = None
    max_rows: Count = MOST_ROWS


class _DuckdbShape(_SourceShape):
    model_config = ConfigDict(extra="forbid", title="a source of kind duckdb")

    kind: Literal["duckdb"]
    tables: Annotated[
        dict[str, tuple[str, ...]],
        PlainValidator(_tables),
        Field(min_length=1),
        Doc("globs", 'tables.NAME = "lake/**/*.parquet"'),
    ]


class _SqlShape(_SourceShape):
    model_config = ConfigDict(extra="forbid", title="a source of kind sql")

    kind: Literal["sql"]
    url: Annotated[UrlRef, Doc("URL", 'url = {env = "WAREHOUSE_URL"}')]


class _AlertsShape(BaseModel):
    model_config = ConfigDict(extra="forbid", title="[alerts]")

    ack_expires: Annotated[timedelta, BeforeValidator(as_timeout), Doc("duration", 'ack_expires = "8h"')] = (
        DEFAULT_ACK_EXPIRES
    )
    look_closer: Annotated[bool, Field(strict=True)] = True


class _RootShape(BaseModel):
    model_config = ConfigDict(extra="forbid", title="slicewatch.toml")

    rules: Annotated[
        tuple[Word, ...], Field(min_length=1), Doc("list of globs", 'rules = ["rules/*.yaml"], above all tables')
    ]
    fallback: Word | None = None
    store: _StoreShape = _StoreShape()
    sources: dict[str, dict[str, Any]] = {}
    receivers: dict[str, dict[str, Any]] = {}
    web: WebShape = WebShape()
    daemon: DaemonShape = DaemonShape()
    log: LogShape = LogShape()
    alerts: _AlertsShape = _AlertsShape()
    digest: DigestShape | None = None
    heartbeat: HeartbeatShape | None = None
    canary: CanaryShape | None = None
    tracing: TracingShape | None = None
    retention: RetentionShape = RetentionShape()
    maintenance: tuple[MaintenanceShape, ...] = ()
    routes: tuple[RouteShape, ...] = ()
    defaults: dict[str, Any] = {}


SOURCES: Mapping[str, type[BaseModel]] = {"duckdb": _DuckdbShape, "sql": _SqlShape}


def _fallback(named: str | None, receivers: tuple[str, ...]) -> str | None:
    """The only receiver is the fallback where none is named."""
    return named or (receivers[0] if len(receivers) == 1 else None)


def _without_dates(raw: Any) -> Any:
    """TOML's dates and times as the text that a rule file would hold."""
    if isinstance(raw, dict):
        return {key: _without_dates(value) for key, value in raw.items()}
    if isinstance(raw, list):
        return [_without_dates(value) for value in raw]
    return raw.isoformat() if isinstance(raw, date | time) else raw


class _Reader:
    """Shapes to settings; collects every problem before it gives up."""

    def __init__(self, file: str, folder: Path, env: Mapping[str, str], places: Places) -> None:
        self._file = file
        self._folder = folder
        self._env = env
        self._places = places
        self._problems: list[Problem] = []

    def read(self, data: dict[str, Any]) -> Settings:
        root = self._shape(_RootShape, data, ())
        sources = self._named(data, "sources", SOURCES)
        receivers = self._named(data, "receivers", RECEIVERS)
        defaults = self._defaults(data)
        if isinstance(root, _RootShape):
            known = tuple(root.receivers)  # a receiver with a mistake is one all the same
            self._check_fallback(root.fallback, list(known))
            said = policies(receivers)
            kinds = {name: str(raw.get("kind")) for name, raw in root.receivers.items()}
            self._problems += digest_problems(root.digest, kinds, self._places.locate)
            fallback = _fallback(root.fallback, known)
            self._problems += canary_problems(root.canary, kinds, fallback, self._places.locate)
            self._problems += receiver_problems(routes(root.routes), said, known, self._places.locate)
        if self._problems or not isinstance(root, _RootShape):
            raise SettingsError(tuple(sorted(self._problems, key=lambda problem: problem.place)))
        return Settings(
            file=self._file,
            folder=self._folder,
            rules=root.rules,
            store=self._value(root.store.url, ("store", "url")),
            sources=tuple(self._source(name, shape) for name, shape in sources.items()),
            receivers=tuple(self._receiver(name, shape) for name, shape in receivers.items()),
            fallback=_fallback(root.fallback, tuple(receivers)),
            web=web_settings(root.web, self._value, self._places.locate, asked="web" in data),
            daemon=daemon_settings(root.daemon),
            log=log_settings(root.log),
            maintenance=maintenances(root.maintenance),
            routes=routes(root.routes),
            policies=policies(receivers),
            budgets=budgets(receivers, self._places.locate),
            ack_expires=root.alerts.ack_expires,
            look_closer=root.alerts.look_closer,
            weekly=weekly_plan(root.digest),
            selfwatch=selfwatch(root.heartbeat, root.canary, root.tracing, self._value),
            retention=retention(root.retention),
            defaults=defaults,
        )

    def _defaults(self, data: dict[str, Any]) -> Layer:
        """[defaults], judged here: a mistake of the operators is not a mistake of every rule."""
        table = data.get("defaults")
        plain = _without_dates(table) if isinstance(table, dict) else {}
        layer = Layer(plain, lambda path, at_key: self._places.locate(("defaults", *path), at_key))
        self._problems += defaults_problems(layer)
        return layer

    def _shape(self, model: type[BaseModel], data: object, root: KeyPath) -> BaseModel | None:
        try:
            return model.model_validate(data)
        except ValidationError as error:
            self._problems += explain(error, model, lambda path, at_key: self._places.locate((*root, *path), at_key))
            return None

    def _named(self, data: dict[str, Any], table: str, kinds: Mapping[str, type[BaseModel]]) -> dict[str, BaseModel]:
        """Each entry of [sources] or [receivers] in the shape of its kind."""
        entries = data.get(table)
        read: dict[str, BaseModel] = {}
        for name, raw in entries.items() if isinstance(entries, dict) else ():
            if isinstance(raw, dict) and (model := self._kind(raw, (table, name), kinds)):
                shape = self._shape(model, raw, (table, name))
                read |= {name: shape} if shape is not None else {}
        return read

    def _kind(self, raw: dict[str, Any], path: KeyPath, kinds: Mapping[str, type[BaseModel]]) -> type[BaseModel] | None:
        kind = raw.get("kind")
        if isinstance(kind, str) and kind in kinds:
            return kinds[kind]
        span = self._places.locate((*path, "kind"), at_key=False)
        message = f"{described(kind)} is not a kind of {str(path[0])[:-1]}"
        if kind is None:
            message = f"[{'.'.join(map(str, path))}] needs 'kind'"
        hint = did_you_mean(str(kind), kinds) if kind is not None else f"known: {', '.join(kinds)}"
        self._problems.append(span.problem("unknown-kind" if kind is not None else "missing-key", message, hint))
        return None

    def _check_fallback(self, fallback: str | None, receivers: list[str]) -> None:
        if fallback is not None and fallback not in receivers:
            span = self._places.locate(("fallback",), at_key=False)
            hint = did_you_mean(fallback, receivers)
            self._problems.append(span.problem("unknown-receiver", f"'{fallback}' is not a receiver", hint))

    def _value(self, reference: Reference, path: KeyPath) -> Secret:
        source = reference.source
        if reference.kind == "file":
            source = (self._folder / source).as_posix()
        span = self._places.locate(path, at_key=False)
        return Secret(".".join(map(str, path)), reference.kind, source, span, self._env)

    def _source(self, name: str, shape: BaseModel) -> SourceSettings:
        assert isinstance(shape, _DuckdbShape | _SqlShape)
        found = SourceSettings(
            name,
            shape.kind,
            timeout=shape.timeout,
            concurrency=shape.concurrency or CONCURRENCY[shape.kind],
            max_scan=shape.max_scan,
            max_rows=shape.max_rows,
            folder=self._folder,
            span=self._places.locate(("sources", name), at_key=True),
        )
        if isinstance(shape, _DuckdbShape):
            tables = tuple((table, tuple(map(self._glob, files))) for table, files in shape.tables.items())
            return replace(found, tables=tables)
        return replace(found, url=self._value(shape.url, ("sources", name, "url")))

    def _glob(self, pattern: str) -> str:
        """Relative to the settings' folder; `s3://...` and the like stay as they are."""
        return pattern if "://" in pattern else (self._folder / pattern).as_posix()

    def _receiver(self, name: str, shape: BaseModel) -> ReceiverSettings:
        given = [(field, ("receivers", name, key), value) for field, key, value in fields_of(shape)]
        secrets = [(field, self._value(value, path)) for field, path, value in given if isinstance(value, Reference)]
        options = [(field, value) for field, _, value in given if not isinstance(value, Reference)]
        span = self._places.locate(("receivers", name), at_key=True)
        assert isinstance(shape, ReceiverShape)
        channel, kind = str(getattr(shape, "channel", "")), str(getattr(shape, "kind", ""))
        actors = tuple(getattr(shape, "actors", ()))
        return ReceiverSettings(name, kind, channel, tuple(options), tuple(secrets), shape.pace, actors, span)
