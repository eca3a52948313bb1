"""The tones a telephone network plays: frequencies, cadence and level by national plan. Pure.

From ITU-T E.180 and its supplement 2; 3GPP TS 22.001 / ETSI for "eu", Telcordia GR-506 for "us", BT SIN 350 for "uk",
GF 002-9002 for "cn".

A tone is written in the notation of the field: elements "FREQUENCY/MS" separated by commas; "A+B" sounds both, "A*B" is
A modulated by B, frequency 0 is silence. An element without duration sounds for ever. "!" before the first element: the
whole is played once and not repeated. A level, "@DBM0", applies to each frequency of what is before it; without it the
tone has -10 dBm0 in all, the nominal level of E.180.
"""

import re

import msgspec
import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 8000
DBM0_RMS = 32768 / 2**0.5 * 10 ** (-3.14 / 20)
"""Root mean square of a 0 dBm0 sine in 16-bit samples: G.711 overloads at +3.14 dBm0 (A-law)."""

_NOMINAL_DBM0 = -10.0
_EDGE_S = 0.002
"""Rise and fall of each burst: short against every cadence, long enough not to click."""

_SIT = "950/330,1400/330,1800/330,0/1000"
_ETSI = {
    "dial": "425",
    "special_dial": "425/500,0/50",
    "ringback": "425/1000,0/4000",
    "busy": "425/500,0/500",
    "congestion": "425/200,0/200",
    "call_waiting": "425/200,0/600,425/200,0/3000",
    "special_info": _SIT,
    "record_warning": "1400/400,0/15000",
}

PLANS: dict[str, dict[str, str]] = {
    "eu": _ETSI,
    "us": {
        "dial": "350+440@-13",
        "special_dial": "!350+440/100,0/100,350+440/100,0/100,350+440/100,0/100,350+440/20000@-13",
        "ringback": "440+480/2000,0/4000@-19",
        "busy": "480+620/500,0/500@-24",
        "congestion": "480+620/250,0/250@-24",
        "call_waiting": "440/300,0/9700@-13",
        "special_info": "!950/330,1400/330,1800/330@-14",
        "record_warning": "1400/500,0/14500@-14",
    },
    "cn": {
        "dial": "450",
        "special_dial": "450/400,0/40",
        "ringback": "450/1000,0/4000",
        "busy": "450/350,0/350",
        "congestion": "450/700,0/700",
        "call_waiting": "450/400,0/4000",
        "special_info": "450/100,0/100,450/100,0/100,450/100,0/100,450/400,0/400",
        "record_warning": "950/400,0/10000@-20",
    },
    "uk": {
        "dial": "350+440",
        "special_dial": "350+440/750,440/750",
        "ringback": "400+450/400,0/200,400+450/400,0/2000",
        "busy": "400/375,0/375",
        "congestion": "400/400,0/350,400/225,0/525",
        "call_waiting": "400/100,0/4000",
        "special_info": "950/330,0/15,1400/330,0/15,1800/330,0/1000",
        "record_warning": "1400/500,0/15000",
    },
}

# Plans that E.180 supplement 2 gives these five of; the special information and recording tones are E.180's own.
_NATIONAL = """
    dial                      ringback                         busy             congestion                         call_waiting
de  425                       425/1000,0/4000                  425/480,0/480    425/240,0/240                      425/200,0/200,425/200,0/5000
fr  440                       440/1500,0/3500                  440/500,0/500    440/250,0/250                      440/300,0/10000
es  425                       425/1500,0/3000                  425/200,0/200    425/200,0/200,425/200,0/200,425/200,0/600 425/175,0/175,425/175,0/3500
it  425/200,0/200,425/600,0/1000 425/1000,0/4000               425/500,0/500    425/200,0/200                      425/400,0/100,425/250,0/100,425/150,0/14000
nl  425                       425/1000,0/4000                  425/500,0/500    425/250,0/250                      425/500,0/9500
ru  425                       425/1000,0/4000                  425/350,0/350    425/175,0/175                      425/200,0/5000
br  425                       425/1000,0/4000                  425/250,0/250    425/250,0/250,425/750,0/250        425/50,0/1000
mx  425                       425/1000,0/4000                  425/250,0/250    425/250,0/250                      425/200,0/600,425/200,0/10000
au  413+438                   413+438/400,0/200,413+438/400,0/2000 425/375,0/375 425/375,0/375                     425/200,0/200,425/200,0/4400
in  400*25                    400*25/400,0/200,400*25/400,0/2000 400/750,0/750  400/250,0/250                      400/200,0/100,400/200,0/7500
jp  400                       400*16/1000,0/2000               400/500,0/500    400/500,0/500                      400*16/500,0/8000
sg  425                       425*24/400,0/200,425*24/400,0/2000 425/750,0/750  425/250,0/250                      425*24/300,0/200,425*24/300,0/3200
my  425                       425/400,0/200,425/400,0/2000     425/500,0/500    425/500,0/500                      425/200,0/600,425/200,0/3000
th  400*50                    400/1000,0/4000                  400/500,0/500    400/300,0/300                      400/400,0/400,400/400,0/4000
tw  350+440                   440+480/1000,0/2000              480+620/500,0/500 480+620/250,0/250                 350+440/250,0/250,350+440/250,0/3250
"""  # noqa: E501

_NAMES, *_ROWS = (line.split() for line in _NATIONAL.strip().splitlines())
for _plan, *_tones in _ROWS:
    PLANS[_plan] = dict(zip(_NAMES, _tones, strict=True)) | {
        "special_info": _SIT,
        "record_warning": _ETSI["record_warning"],
    }


for _tones_of_plan in PLANS.values():
    # What tells the user of a feature code that it was done, or not: no nation's, so the same everywhere.
    _tones_of_plan |= {"confirmation": "!600/100,0/100,600/100,0/100,800/250", "refusal": "!400/400,0/100,300/600"}
    # A call begins by itself (zip tone); somebody is on hold for long.
    _tones_of_plan |= {"zip": "!1400/200,0/50", "reminder": "!800/120,0/80,800/120,0/80,800/120"}
    # Now a message may be spoken.
    _tones_of_plan["beep"] = "!1000/400"


class UnknownTone(LookupError):
    """No such plan, or no such tone in it; the text says which there are."""


class Burst(msgspec.Struct, frozen=True, gc=False):
    """One element of a cadence."""

    frequencies_hz: tuple[float, ...]
    """Empty: silence."""
    modulation_hz: float
    """0 = not modulated; else full-depth amplitude modulation of the (single) frequency."""
    duration_ms: int
    """0 = for ever."""


class Tone(msgspec.Struct, frozen=True, gc=False):
    """One tone of one plan."""

    cadence: tuple[Burst, ...]
    level_dbm0: float
    """Of each frequency."""
    is_looped: bool


def find_tone(name: str, plan: str) -> Tone:
    """The tone `name` of `plan`, e.g. ("ringback", "cn"). Raises `UnknownTone`."""
    tones = PLANS.get(plan)
    if tones is None:
        raise UnknownTone(f"no tone plan {plan!r}; there are {', '.join(sorted(PLANS))}")
    text = tones.get(name)
    if text is None:
        raise UnknownTone(f"no tone {name!r} in plan {plan!r}; there are {', '.join(sorted(tones))}")
    return parse_tone(text)


def parse_tone(text: str) -> Tone:
    """Reads the notation of the module's docstring. Raises ValueError naming the element that is wrong."""
    body, _, level = text.partition("@")
    is_looped = not body.startswith("!")
    cadence = tuple(_parse_burst(element) for element in body.removeprefix("!").split(","))
    if any(burst.duration_ms == 0 for burst in cadence) and len(cadence) > 1:
        raise ValueError(f"tone {text!r}: an element without duration must stand alone")
    n_frequencies = max(len(burst.frequencies_hz) for burst in cadence)
    nominal = _NOMINAL_DBM0 - 10 * float(np.log10(max(n_frequencies, 1)))
    return Tone(cadence, float(level) if level else nominal, is_looped)


def render(tone: Tone) -> NDArray[np.int16]:
    """One period of the tone at 8 kHz, which continues into itself; a continuous tone gives one second."""
    return np.concatenate([_render_burst(burst, tone.level_dbm0) for burst in tone.cadence])


_ELEMENT = re.compile(r"(\d+(?:\.\d+)?)(?:([+*])(\d+(?:\.\d+)?))?(?:/(\d+))?")


def _parse_burst(element: str) -> Burst:
    found = _ELEMENT.fullmatch(element)
    if found is None or found[4] == "0":
        raise ValueError(f"tone element {element!r}: want FREQUENCY[+FREQUENCY][/MS] or FREQUENCY*MODULATION[/MS]")
    first, second = float(found[1]), float(found[3] or 0)
    frequencies = tuple(f for f in (first, second if found[2] == "+" else 0.0) if f)
    return Burst(frequencies, second if found[2] == "*" else 0.0, int(found[4] or 0))


def _render_burst(burst: Burst, level_dbm0: float) -> NDArray[np.int16]:
    n = SAMPLE_RATE * (burst.duration_ms or 1000) // 1000
    if not burst.frequencies_hz:
        return np.zeros(n, np.int16)
    phase = 2 * np.pi * np.arange(n) / SAMPLE_RATE
    wave = np.sum([np.sin(frequency * phase) for frequency in burst.frequencies_hz], axis=0)
    if burst.modulation_hz:
        # (1 - cos)/2 is full depth; sqrt(8/3) restores the power of the unmodulated sine.
        wave = wave * (1 - np.cos(burst.modulation_hz * phase)) / 2 * (8 / 3) ** 0.5
    wave = wave * DBM0_RMS * 2**0.5 * 10 ** (level_dbm0 / 20)
    if burst.duration_ms:
        n_edge = int(_EDGE_S * SAMPLE_RATE)
        edge = (1 - np.cos(np.pi * (np.arange(n_edge) + 0.5) / n_edge)) / 2
        wave[:n_edge] *= edge
        wave[-n_edge:] *= edge[::-1]
    return np.asarray(np.rint(wave), np.int16)
