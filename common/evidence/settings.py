"""The values of a paper's settings: those of a profile, changed on the command line."""

import difflib
import math
import tomllib
from collections.abc import Iterable
from typing import Any

from common.errors import InputError
from common.evidence.paper import PROFILES, Paper, Setting


def resolve_settings(paper: Paper, profile: str, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """The value of every setting in `profile` ("quick", "study" or "paper"), changed by `overrides` ("name=value").

    A value is read as TOML (`0.5`, `true`, `[2, 2, 2]`), else taken as text, so `colour=grey` needs no quotes.
    Raises InputError naming the setting, what was given and what is accepted.
    """
    if profile not in PROFILES:
        raise InputError(f"profile {profile!r}: give one of {', '.join(PROFILES)}")
    values = {s.name: s.find_value(profile) for s in paper.settings.values()}
    for override in overrides:
        name, equals, text = override.partition("=")
        name = name.strip()
        if not equals:
            raise InputError(f"setting {override!r}: give it as name=value")
        if name not in values:
            near = difflib.get_close_matches(name, values, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(values)}"
            raise InputError(f"setting {name!r}: {paper.id} has none of this name{hint}")
        values[name] = _accept(paper.settings[name], _parse_value(text.strip()), text.strip())
    return values


def _parse_value(text: str) -> Any:
    try:
        table = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return table["value"] if table.keys() == {"value"} else text


def _accept(setting: Setting, value: Any, given: str) -> Any:
    if setting.choices:
        if value in setting.choices and is_alike(setting.value, value):
            return value
        accepted = "one of " + ", ".join(map(str, setting.choices))
    elif is_alike(setting.value, value):
        return float(value) if isinstance(setting.value, float) else value
    else:
        accepted = f"{_name_kind(setting.value)} such as {_format_toml(setting.value)}"
    raise InputError(f"setting {setting.name}: {given!r} is not accepted; give {accepted}")


def is_alike(pattern: Any, value: Any) -> bool:
    """Whether `value` is of the type of `pattern`; whole numbers pass as decimals, lists by their items."""
    if isinstance(pattern, list):
        return isinstance(value, list) and bool(value) and all(is_alike(pattern[0], item) for item in value)
    if isinstance(pattern, float):
        return is_number(value)
    return type(value) is type(pattern)


def is_number(value: Any) -> bool:
    """Whether TOML's `value` is a number, and a finite one."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _name_kind(value: Any) -> str:
    if isinstance(value, list):
        return f"a list, each item {_name_kind(value[0])}"
    return {bool: "true or false,", int: "a whole number", float: "a number", str: "text"}[type(value)]


def _format_toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
