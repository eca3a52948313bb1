"""`ringback init`: a commented configuration with strong random passwords, and an API token beside it."""

import os
import secrets
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from control.auth import hash_token, new_token
from model.calendars import Calendar, Holiday, SpecialDay
from model.campaigns import Campaign, Disposition, RetryRule, ShownNumber
from model.roles import Role
from model.speech import SpeechVoice
from switch.config import Config, Control, Extension, User
from switch.config_ivr import Ivr, Source
from switch.config_speech import SpeechRules
from switch.config_trunks import GroupMember, NumberRule, Trunk, TrunkGroup

_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"
_SECTIONS = (
    "node",
    "sip",
    "media",
    "webrtc",
    "recording",
    "storage",
    "control",
    "numbering",
    "calls",
    "outbound",
    "subscriptions",
    "messages",
    "nat",
    "feature_codes",
    "parking",
    "supervision",
    "security",
    "acd",
    "dialer",
    "agents",
    "vip",
    "ivr",
    "recognition",
    "email",
    "speech",
    "prometheus",
)


_INNER: dict[Any, tuple[tuple[str, Any], ...]] = {
    Calendar: (
        ("Entries of `holidays` of a calendar", Holiday),
        ("Entries of `special_days` of a calendar", SpecialDay),
    ),
    Campaign: (
        ("Entries of `retries` of a campaign", RetryRule),
        ("Entries of `dispositions` of a campaign", Disposition),
        ("Entries of `area_numbers` of a campaign", ShownNumber),
    ),
    Control: (("[[control.user]]", User),),
    SpeechRules: (("[[speech.voice]]", SpeechVoice),),
    Ivr: (("[[ivr.source]]", Source),),
    Trunk: (("Entries of `rules_in` and `rules_out` of a trunk", NumberRule),),
    TrunkGroup: (("Entries of `members` of a trunk group", GroupMember),),
}
"""What stands inside a section, and its heading."""


def new_password(length: int = 20) -> str:
    """Random, without characters that look alike; 20 of them hold 115 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def write_configuration(directory: Path, n_extensions: int) -> list[tuple[Path, str]]:
    """Writes ringback.toml and ringback.token, readable by their owner alone. Raises OSError (never overwrites)."""
    directory.mkdir(parents=True, exist_ok=True)
    token = new_token()
    config, token_file = directory / "ringback.toml", directory / "ringback.token"
    _write(config, configuration_text(hash_token(token), n_extensions))
    _write(token_file, token + "\n")
    return [
        (config, "the configuration; start with: ringback serve --config " + str(config)),
        (token_file, "the API token of user admin, for: ringback status, ringback call …"),
    ]


def configuration_text(token_hash: str, n_extensions: int) -> str:
    """Every key with its default and what it means."""
    lines = ["# Ringback. Every key is shown with its default; remove the # before those you change.", ""]
    for section in _SECTIONS:
        kind = get_type_hints(Config, include_extras=True)[section]
        lines += [f"# {kind.__doc__}", f"[{section}]"]
        for name, text, default in _keys(kind):
            if kind is Control and name == "user":
                continue
            lines += [f"# {text}", f"# {name} = {_toml(default)}"]
        lines.append("")
    lines += ["[[control.user]]", 'name = "admin"', f'token_hash = "{token_hash}"', 'role = "administrator"', ""]
    lines += [f"# {Role.__doc__} All keys (docs/permissions.md):", *_commented(Role), ""]
    lines += [f"# {Extension.__doc__} All keys:", *_commented(Extension), ""]
    for number in range(1001, 1001 + n_extensions):
        lines += ["[[extension]]", f'number = "{number}"', f'password = "{new_password()}"', ""]
    lines += [f"# {Trunk.__doc__} All keys:", *_commented(Trunk)]
    lines += ["# [[trunk]]", '# name = "carrier"', '# host = "sip.example.net"', ""]
    lines += [f"# {TrunkGroup.__doc__} All keys:", *_commented(TrunkGroup)]
    lines += ["# [[trunk_group]]", '# name = "carriers"', '# members = [{ trunk = "carrier" }]', ""]
    lines += [f"# {Campaign.__doc__}", "# [[campaign]]", '# name = "spring"', '# caller_id = "02166660000"', ""]
    lines += [
        "# Numbers of ours that trunks deliver.",
        "# [[access_number]]",
        '# number = "02188886666"',
        '# to = "1001"',
    ]
    lines += [
        "",
        "# Which trunks a dialled number goes out by.",
        "# [[route]]",
        '# name = "outside"',
        '# pattern = "9."',
    ]
    lines += ["# strip = 1", '# trunks = ["carrier"]', ""]
    return "\n".join(lines)


def documentation() -> str:
    """docs/configuration.md: every section and key."""
    out = ["# Configuration", "", "One TOML file, made by `ringback init`, checked by `ringback check`.", ""]
    out += ["Written from `switch/config*.py` by `python -m switch.init_config`; do not edit.", ""]
    hints = get_type_hints(Config, include_extras=True)
    for section, hint in hints.items():
        kind, heading = (hint, f"[{section}]") if section in _SECTIONS else (get_args(hint)[:1], f"[[{section}]]")
        if isinstance(kind, tuple):
            if not kind or section == "path":
                continue
            kind = kind[0]
        out += _table(heading, kind)
        for inner, what in _INNER.get(kind, ()):
            out += _table(inner, what)
    return "\n".join(out)


def _table(heading: str, kind: Any) -> list[str]:
    rows = [
        f"| `{name}` | {'required' if default is None else f'`{_toml(default)}`'} | {text} |"
        for name, text, default in _keys(kind)
    ]
    return [f"## {heading}", "", kind.__doc__, "", "| key | default | meaning |", "| --- | --- | --- |", *rows, ""]


def _commented(kind: Any) -> list[str]:
    return [f"#   {name:<24} {text}" for name, text, _ in _keys(kind)]


def _keys(kind: Any) -> list[tuple[str, str, Any]]:
    """(name, description, default or None) of every key of a section."""
    keys = []
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        if kind is Control and field.name == "user":
            continue
        default = None if field.default is msgspec.NODEFAULT else field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        keys.append((field.name, _description(hints[field.name]), default))
    return keys


def _description(hint: Any) -> str:
    if get_origin(hint) is not None:
        for meta in get_args(hint)[1:]:
            if isinstance(meta, Meta) and meta.description:
                return meta.description
    return ""


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, msgspec.Struct):
        return "{ " + ", ".join(f"{name} = {_toml(getattr(value, name))}" for name in value.__struct_fields__) + " }"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(item)}" for name, item in value.items()) + " }" if value else "{}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return str(value)


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    print(documentation(), end="")
