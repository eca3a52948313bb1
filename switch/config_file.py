"""Reads and checks a configuration file. An error is one line: file, line, key, what is wrong, what would be right."""

import difflib
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from model.access_numbers import AccessNumber
from model.agents import Agent, AgentGroup, AgentRules, Membership, NotReadyReason
from model.alarms import AlarmRule
from model.calendars import Calendar, Holiday, SpecialDay
from model.campaigns import Campaign, Disposition, RetryRule, ShownNumber
from model.queues import Callback, Queue, QueueLimits, QueueSound, RelaxStep, Satisfaction, WrapUp
from model.roles import BUILT_IN_ROLES, Role, RoleFault, compile_rights
from model.speech import SpeechVoice
from model.voicemail import VoicemailBox
from sip.codecs import CODECS
from sip.media_terms import PTIMES_MS
from sip.sdes import KEY_BYTES
from switch.addresses import parse_listen, split_host_port
from switch.config import Config, Control, Extension, User
from switch.config_access import check_access
from switch.config_campaigns import check_campaigns
from switch.config_centre import check_centre
from switch.config_check_trunks import check_trunks, check_unique
from switch.config_conference import Conference, check_conferences
from switch.config_email import email_problem
from switch.config_features import feature_problem
from switch.config_ivr import check_sources, recognition_problem
from switch.config_lines import line_of
from switch.config_nat import nat_problem
from switch.config_speech import SpeechRules, speech_problem
from switch.config_supervision import check_supervision
from switch.config_trunks import GroupMember, NumberRule, Route, Trunk, TrunkGroup
from switch.config_types import Section
from switch.config_vip import vip_problem

_ORIGIN = re.compile(r"https?://[^/\s\"]+")


class ConfigError(ValueError):
    """The configuration cannot be used; the message is one line: file, line, key, what would be right."""


def load_config(path: str | Path) -> Config:
    """Reads and checks the file. Raises ConfigError (one line)."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); make one with: ringback init") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}") from None
    return parse_config(text, str(path))


def parse_config(text: str, path: str = "ringback.toml") -> Config:
    """The checked value of a configuration's text. Raises ConfigError (one line)."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = f":{where[1]}" if where else ""
        raise ConfigError(f"{path}{line}: not TOML: {str(error).split(' (at')[0]}") from None
    raw.pop("path", None)
    try:
        config = msgspec.convert(raw, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(_explain(str(error), text, path)) from None
    # What it names lies beside it.
    config = msgspec.structs.replace(config, path=path)
    _check(config, text, path)
    return config


def _explain(message: str, text: str, path: str) -> str:
    what, _, where = message.partition(" - at `$")
    keys = re.findall(r"\.([A-Za-z_]+)|\[(\d+)\]", where)
    steps: list[str | int] = [name or int(index) for name, index in keys]
    unknown = re.search(r"unknown field `([^`]+)`", what)
    if unknown:
        known = _fields_at(steps)
        close = difflib.get_close_matches(unknown[1], known, 1)
        hint = f'did you mean "{close[0]}"?' if close else f"known keys: {', '.join(known)}"
        line = line_of(text, [*steps, unknown[1]])
        return f"{path}:{line}: {_dotted([*steps, unknown[1]])}: no such key; {hint}"
    line = line_of(text, steps)
    return f"{path}:{line}: {_dotted(steps)}: {what[:1].lower()}{what[1:]}"


def _dotted(steps: list[str | int]) -> str:
    out = ""
    for step in steps:
        out += f"[{step}]" if isinstance(step, int) else f".{step}" if out else str(step)
    return out or "(top)"


_LISTS: dict[str, type[Section]] = {
    "extension": Extension,
    "trunk": Trunk,
    "trunk_group": TrunkGroup,
    "campaign": Campaign,
    "calendar": Calendar,
    "access_number": AccessNumber,
    "route": Route,
    "conference": Conference,
    "queue": Queue,
    "voicemail": VoicemailBox,
    "alarm": AlarmRule,
    "agent_group": AgentGroup,
    "agent": Agent,
    "role": Role,
}


_NESTED: dict[tuple[Any, str], type[Section]] = {
    (Control, "user"): User,
    (SpeechRules, "voice"): SpeechVoice,
    (Trunk, "rules_in"): NumberRule,
    (Trunk, "rules_out"): NumberRule,
    (TrunkGroup, "members"): GroupMember,
    (Calendar, "holidays"): Holiday,
    (Calendar, "special_days"): SpecialDay,
    (Queue, "limits"): QueueLimits,
    (Queue, "sound"): QueueSound,
    (Queue, "wrap_up"): WrapUp,
    (Queue, "callback"): Callback,
    (Queue, "satisfaction"): Satisfaction,
    (Queue, "relax"): RelaxStep,
    (Agent, "queues"): Membership,
    (Campaign, "retries"): RetryRule,
    (Campaign, "dispositions"): Disposition,
    (Campaign, "area_numbers"): ShownNumber,
    (AgentRules, "reason"): NotReadyReason,
}


def _fields_at(steps: list[str | int]) -> list[str]:
    here: Any = Config
    for step in steps:
        if isinstance(step, int):
            continue
        if (here, step) in _NESTED:
            here = _NESTED[here, step]
        elif here is Config and step in _LISTS:
            here = _LISTS[step]
        else:
            here = type(getattr(Config(), step, None)) if here is Config else here
    return [name for name in getattr(here, "__struct_fields__", ()) if name != "path"]


def _check(config: Config, text: str, path: str) -> None:
    """What the types cannot say: references between sections, addresses, duplicates."""

    def wrong(steps: list[str | int], what: str) -> ConfigError:
        return ConfigError(f"{path}:{line_of(text, steps)}: {_dotted(steps)}: {what}")

    for i, listen in enumerate(config.sip.listen):
        try:
            address = parse_listen(listen)
        except ValueError as error:
            raise wrong(["sip", "listen"], str(error)) from None
        if address.transport in ("tls", "wss") and not (config.sip.tls_certificate and config.sip.tls_key):
            raise wrong(["sip", "listen"], f'"{listen}" needs sip.tls_certificate and sip.tls_key (entry {i + 1})')
    if config.webrtc.listen:
        try:
            split_host_port(config.webrtc.listen)
        except ValueError as error:
            raise wrong(["webrtc", "listen"], str(error)) from None
    for origin in config.webrtc.origins:
        if origin not in ("*", "none") and not _ORIGIN.fullmatch(origin):
            raise wrong(["webrtc", "origins"], f'"{origin}" must be "https://host[:port]", "*" or "none"')
    if config.sip.tls_client_certificates != "off" and not config.sip.tls_client_ca:
        raise wrong(["sip", "tls_client_certificates"], "needs sip.tls_client_ca")
    try:
        split_host_port(config.control.listen)
    except ValueError as error:
        raise wrong(["control", "listen"], str(error)) from None
    first, last = (int(p) for p in config.media.rtp_ports.split("-"))
    if not (1024 <= first < last <= 65535):
        raise wrong(["media", "rtp_ports"], '"first-last" with 1024 <= first < last <= 65535, e.g. "20000-20999"')
    for algorithm in config.sip.digest_algorithms:
        if algorithm not in ("SHA-256", "MD5"):
            raise wrong(["sip", "digest_algorithms"], f'"{algorithm}" is not known; there are SHA-256 and MD5')
    _check_media(config, wrong)
    key, fault = check_supervision(config.supervision)
    if key:
        raise wrong(["supervision", key], fault)
    features = feature_problem(
        config.feature_codes, config.agents, config.parking, [e.number for e in config.extension]
    )
    problems = (
        *(features, nat_problem(config.nat), vip_problem(config.vip)),
        *(email_problem(config.email), speech_problem(config.speech), recognition_problem(config.recognition)),
    )
    for problem in problems:
        if problem is not None:
            raise wrong([*problem[0]], problem[1])
    check_unique("extension", [e.number for e in config.extension], wrong)
    check_trunks(config, wrong)
    _check_roles(config, wrong)
    taken = {e.number for e in config.extension} | set(config.numbering.emergency) | set(config.parking.orbit_numbers())
    check_conferences(config.conference, taken, wrong)
    check_sources(config, wrong)
    check_centre(config, wrong)
    check_campaigns(config, wrong)
    check_access(config, wrong)


def _check_roles(config: Config, wrong: Callable[[list[str | int], str], ConfigError]) -> None:
    known = set(BUILT_IN_ROLES)
    for i, role in enumerate(config.role):
        if role.name in known:
            raise wrong(["role", i, "name"], f'"{role.name}" is there already')
        try:
            compile_rights(role)
        except RoleFault as fault:
            raise wrong(["role", i, fault.field], str(fault)) from None
        known.add(role.name)


def _check_media(config: Config, wrong: Callable[[list[str | int], str], ConfigError]) -> None:
    lists: list[tuple[list[str | int], tuple[str, ...]]] = [(["media", "codecs"], config.media.codecs)]
    lists += [(["extension", i, "codecs"], each.codecs) for i, each in enumerate(config.extension)]
    lists += [(["trunk", i, "codecs"], each.codecs) for i, each in enumerate(config.trunk)]
    for steps, names in lists:
        for name in names:
            if name not in CODECS or names.count(name) > 1:
                raise wrong(steps, f'"{name}" is not known, or there twice; there are {", ".join(CODECS)}')
    for suite in config.media.srtp_suites:
        if suite not in KEY_BYTES or config.media.srtp_suites.count(suite) > 1:
            raise wrong(["media", "srtp_suites"], f'"{suite}" is not known, or there twice: {", ".join(KEY_BYTES)}')
    if config.media.ptime_ms not in PTIMES_MS:
        raise wrong(["media", "ptime_ms"], f"one of {', '.join(map(str, PTIMES_MS))}")
