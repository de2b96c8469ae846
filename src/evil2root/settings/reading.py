"""Reading the settings: the command line first, then the environment, `.env` and `evil2root.toml`."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import DotEnvSettingsSource

from evil2root.settings.kinds import nearest
from evil2root.settings.tree import PREFIX, Settings

TOML_FILE = "evil2root.toml"
DOTENV_FILE = ".env"
SECRET_BYTES_MAX = 65_536
"""A file with a secret is a line or a certificate, not a database."""


class SettingsProblem(Exception):  # noqa: N818 - named for what is wrong, as the trade says it
    """The settings can't be used. The text has one line a problem: the key, the value, the limit, an example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A value somebody set, as text, and where."""

    text: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One setting: its path in the tree and its field."""

    path: tuple[str, ...]
    field: FieldInfo

    @property
    def name(self) -> str:
        """As in the environment, without the prefix."""
        return "__".join(self.path).upper()

    @property
    def is_secret(self) -> bool:
        """Whether its value may never be shown."""
        return any(kind is SecretStr for kind in _kinds(self.field.annotation))


def keys() -> dict[str, Key]:
    """Every setting by its name without the prefix, in the order of the tree."""
    return {key.name: key for key in _leaves(Settings, ())}


def load(
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    overrides: Mapping[str, str] | None = None,
) -> Settings:
    """Read, check and freeze all settings. Raises `SettingsProblem` that lists everything wrong at once.

    Parameters
    ----------
    environment
        By default the process's own. An empty value counts as not set.
    folder
        Where `.env` and `evil2root.toml` are looked for; by default the working directory.
    overrides
        What the command line says, by names without the prefix: `{"REPLAY__SPEED": "20"}`. Wins over the rest.
    """
    folder = folder or Path.cwd()
    problems: list[str] = []
    given: dict[str, Given] = {}
    layers = (
        ("command line", overrides or {}),
        ("environment", _prefixed(os.environ if environment is None else environment)),
        (DOTENV_FILE, _prefixed(_dotenv(folder / DOTENV_FILE))),
        (TOML_FILE, _toml(folder / TOML_FILE)),
    )
    for origin, values in layers:
        found, wrong = _known(values, origin)
        problems += wrong
        given = {**found, **given}
    if problems:
        raise SettingsProblem("\n".join(problems))
    try:
        settings = Settings(**_tree(given))
    except ValidationError as error:
        raise SettingsProblem("\n".join(_lines(error, given))) from None
    settings._origins.update({name: value.origin for name, value in given.items()})  # noqa: SLF001 - its maker
    return settings


def describe(settings: Settings) -> list[tuple[str, str, str]]:
    """Return (key, value, origin) of every setting, secrets masked, in the order of the tree."""
    rows = []
    for name, key in keys().items():
        value: Any = settings
        for part in key.path:
            value = getattr(value, part)
        rows.append((PREFIX + name, _shown(value), settings.origins.get(name, "default")))
    return rows


def read_secret(path: Path, *, key: str) -> str:
    """Return the text of a file that holds a secret, without the line's end. Raises `SettingsProblem`."""
    try:
        if path.stat().st_size > SECRET_BYTES_MAX:
            msg = f"{key}={path}: the file is larger than {SECRET_BYTES_MAX} bytes, too much for a secret."
            raise SettingsProblem(msg)
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        msg = f"{key}={path} cannot be read ({reason}): name a file that this user may read."
        raise SettingsProblem(msg) from error
    if not text:
        msg = f"{key}={path}: the file is empty; write the secret into it."
        raise SettingsProblem(msg)
    return text


def _leaves(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _leaves(field.annotation, (*path, name))
        else:
            yield Key(path=(*path, name), field=field)


def _kinds(annotation: Any) -> tuple[Any, ...]:
    """The types a field may hold, without their limits."""
    if get_origin(annotation) in {Union, UnionType}:
        return tuple(kind for part in get_args(annotation) for kind in _kinds(part))
    if hasattr(annotation, "__metadata__"):
        return _kinds(get_args(annotation)[0])
    return (annotation,)


def _prefixed(values: Mapping[str, str | None]) -> dict[str, str]:
    return {
        name.upper().removeprefix(PREFIX): value
        for name, value in values.items()
        if name.upper().startswith(PREFIX) and value
    }


def _dotenv(path: Path) -> Mapping[str, str | None]:
    if not path.is_file():
        return {}
    try:
        return DotEnvSettingsSource(Settings, env_file=path, env_file_encoding="utf-8").env_vars
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path} cannot be read ({error}): it must be UTF-8 text with lines like {PREFIX}MODE=paper."
        raise SettingsProblem(msg) from error


def _toml(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        msg = f'{path} is not TOML ({error}): write lines like mode = "paper", tables like [risk].'
        raise SettingsProblem(msg) from error
    return dict(_flat(document, ()))


def _flat(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Turn nested tables into names and texts, so that a value is checked the same wherever it was written."""
    for name, value in table.items():
        here = (*path, name.upper())
        if isinstance(value, dict):
            yield from _flat(value, here)
        else:
            many = value if isinstance(value, list) else [value]
            text = ",".join(str(v).lower() if isinstance(v, bool) else str(v) for v in many)
            if text:
                yield "__".join(here), text


def _known(values: Mapping[str, str], origin: str) -> tuple[dict[str, Given], list[str]]:
    """Sort one source's names into values and problems; `NAME_FILE` gives the secret `NAME` from a file."""
    all_keys, found, problems = keys(), dict[str, Given](), list[str]()
    secrets = {f"{name}_FILE": name for name, key in all_keys.items() if key.is_secret}
    for name, text in values.items():
        if name in all_keys:
            found[name] = Given(text=text, origin=origin)
        elif name not in secrets:
            problems.append(_unknown(name, origin, all_keys, secrets))
        elif secrets[name] in values:
            problems.append(f"{PREFIX}{name} and {PREFIX}{secrets[name]} are both set ({origin}): keep one of them.")
        else:
            try:
                secret = read_secret(Path(text).expanduser(), key=PREFIX + name)
                found[secrets[name]] = Given(text=secret, origin=f"FILE {text}")
            except SettingsProblem as problem:
                problems.append(str(problem))
    return found, problems


def _unknown(name: str, origin: str, all_keys: Mapping[str, Key], secrets: Mapping[str, str]) -> str:
    inside = [key for key in all_keys if key.startswith(f"{name}__")]
    if inside:
        return f"{PREFIX}{name} ({origin}) is a group, not a setting: set its parts, for example {PREFIX}{inside[0]}."
    hint = nearest(PREFIX + name, [PREFIX + known for known in (*all_keys, *secrets)])
    return f"{PREFIX}{name} ({origin}) is not a setting{hint or '; `evil2root config show` lists all of them.'}"


def _tree(given: Mapping[str, Given]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in given.items():
        *groups, leaf = name.lower().split("__")
        here = tree
        for group in groups:
            here = here.setdefault(group, {})
        here[leaf] = value.text
    return tree


def _lines(error: ValidationError, given: Mapping[str, Given]) -> Iterator[str]:
    """One line a problem: the key, where it was set, its value, the limit, an example."""
    all_keys = keys()
    for problem in error.errors(include_url=False):
        said = str(problem.get("ctx", {}).get("error", "")) or problem["msg"]
        parts = [str(part) for part in problem["loc"]]
        key = next((all_keys[n] for n in ("__".join(parts[:size]).upper() for size in (1, 2)) if n in all_keys), None)
        if key is None:
            yield said
            continue
        value = given[key.name]
        shown = "(secret)" if key.is_secret else repr(value.text)
        if problem["type"] == "value_error":
            limit = said[0].lower() + said[1:] if said.startswith(("It ", "Name ", "An ")) else said
        else:
            limit = f"it must be {limit_of(key.field)}."
        yield f"{PREFIX}{key.name} ({value.origin}) is {shown}: {limit}{_example(key)}"


def _example(key: Key) -> str:
    default = key.field.default
    if default in {None, ""} or key.is_secret or default == ():
        return ""
    return f" For example {PREFIX}{key.name}={_shown(default)}"


def limit_of(field: FieldInfo) -> str:
    """Say in words what a field takes."""
    annotation = field.annotation
    none = " or none" if type(None) in _kinds(annotation) else ""
    kinds = [kind for kind in _kinds(annotation) if kind is not type(None)]
    choices = [str(c) for kind in kinds for c in (get_args(kind) if get_origin(kind) is Literal else _members(kind))]
    if choices:
        return f"one of {', '.join(choices)}{none}"
    if kinds == [bool]:
        return "true or false"
    bounds = {name: getattr(m, name) for m in _metadata(field) for name in ("ge", "gt", "le", "lt") if hasattr(m, name)}
    if bounds:
        number = "a whole number" if kinds == [int] else "a number"
        low = f"from {bounds['ge']}" if "ge" in bounds else f"above {bounds.get('gt')}"
        high = f"to {Decimal(bounds['le']):f}" if "le" in bounds else f"below {bounds.get('lt')}"
        return f"{number} {low} {'' if 'ge' in bounds else 'up '}{high}{none}"
    pattern = next((m.pattern for m in _metadata(field) if getattr(m, "pattern", None)), None)
    return f"text like {pattern}" if pattern else "text"


def _members(kind: Any) -> list[str]:
    return [str(member.value) for member in kind] if isinstance(kind, type) and issubclass(kind, Enum) else []


def _metadata(field: FieldInfo) -> list[Any]:
    """Limits on the field itself and on the parts of a union."""
    found, waiting = list(field.metadata), [field.annotation]
    while waiting:
        annotation = waiting.pop()
        for part in getattr(annotation, "__metadata__", ()):
            found += part.metadata if isinstance(part, FieldInfo) else [part]
        waiting += [part for part in get_args(annotation) if hasattr(part, "__metadata__") or get_args(part)]
    return found


def _shown(value: Any) -> str:
    match value:
        case None:
            return ""
        case SecretStr():
            return "********"
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(map(str, value))
        case _:
            return str(value)
