"""switch/config.py, config_lines.py, init_config.py: what is read, and that every error names file, line, key and what
would be right. That docs/configuration.md is the generated one."""

import re
from pathlib import Path

import pytest

from switch.addresses import parse_listen
from switch.config_file import ConfigError, load_config, parse_config
from switch.config_lines import line_of
from switch.config_speech import speech_setup
from switch.init_config import configuration_text, documentation, new_password, write_configuration

TRUNK = '[[trunk]]\nname = "a"\nhost = "192.0.2.1"\n'
GROUP = '[[trunk_group]]\nname = "g"\n'
VOICE = "[[speech.voice]]\n"
HTTP_VOICE = VOICE + 'language = "zh"\nprovider = "http"\n'


def test_an_empty_file_is_the_defaults():
    config = parse_config("")
    assert config.sip.listen == ("udp:0.0.0.0:5060", "tcp:0.0.0.0:5060")
    assert config.recording.enabled


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[sip]\nlisten = ["udp:0.0.0.0:70000"]', 'x.toml:2: sip.listen: "0.0.0.0:70000" must be "address:port"'),
        ('[sip]\nlisten = ["sctp:0.0.0.0:5060"]', 'x.toml:2: sip.listen: "sctp:0.0.0.0:5060" must begin with udp:'),
        ('[sip]\nlisten = ["tls:0.0.0.0:5061"]', "needs sip.tls_certificate and sip.tls_key"),
        ('[sip]\nlisten = ["wss:0.0.0.0:5066"]', "needs sip.tls_certificate and sip.tls_key"),
        ('[webrtc]\norigins = ["example.com"]', 'x.toml:2: webrtc.origins: "example.com" must be "https://host'),
        ("[sip]\n\nlistn = []", 'x.toml:3: sip.listn: no such key; did you mean "listen"?'),
        ('[email]\nhost = "mail.example.net"', "x.toml:1: email.sender: is needed where there is a host"),
        (
            '[email]\nhost = "mail.example.net"\nsender = "a@b.c"\nsecurity = "none"',
            'x.toml:4: email.security: "none" would send messages, and the password, in the clear',
        ),
        ('[[voicemail]]\nname = "a"\nqueue = "b"', 'x.toml:3: voicemail[0].queue: there is no queue "b"'),
        ('[[voicemail]]\nname = "a"\nnumber = "1"\n' * 2, 'x.toml:4: voicemail[1]: "a" is there twice'),
        (
            '[[access_number]]\nnumber = "1"\nto = "voicemail:a"',
            'x.toml:3: access_number[0].to: there is no voicemail box "a"',
        ),
        ("[spi]", 'x.toml:1: spi: no such key; did you mean "sip"?'),
        (TRUNK + 'port = "5"', "x.toml:4: trunk[0].port: expected `int`, got `str`"),
        (TRUNK + "port = 99999", "x.toml:4: trunk[0].port: expected `int` <= 65535"),
        (TRUNK + TRUNK, 'x.toml:4: trunk[1]: "a" is there twice'),
        (TRUNK + "register = true", "x.toml:4: trunk[0].register: registering needs username and password"),
        (TRUNK + 'from_addresses = ["nowhere"]', 'x.toml:4: trunk[0].from_addresses: "nowhere" is no IP address'),
        (TRUNK + "listener = 7", "x.toml:4: trunk[0].listener: sip.listen has only 2 entries"),
        ('[[route]]\nname = "r"\npattern = "9"\ntrunks = ["b"]', 'x.toml:4: route[0].trunks: there is no trunk "b"'),
        (
            TRUNK + '[[route]]\nname = "r"\npattern = "9"\ntrunks = ["a"]\nfailover = ["BUSY"]',
            'x.toml:8: route[0].failover: "BUSY" is neither a hangup cause',
        ),
        (GROUP + 'members = [{ trunk = "b" }]', 'x.toml:3: trunk_group[0].members: there is no trunk "b"'),
        (TRUNK + '[[trunk_group]]\nname = "a"\nmembers = [{ trunk = "a" }]', '"a" is the name of a trunk'),
        (TRUNK + GROUP + 'members = [{ trunk = "a", wait = 1 }]', 'did you mean "weight"?'),
        (
            TRUNK + GROUP + 'members = [{ trunk = "a", hours = "night" }]',
            'x.toml:6: trunk_group[0].members: "night" is no',
        ),
        (TRUNK + 'rules_out = [{ pattern = "9", stripe = 1 }]', "x.toml:4: trunk[0].rules_out[0].stripe: no such key"),
        ('[numbering]\ntime_zone = "Mars/Base"', 'x.toml:2: numbering.time_zone: "Mars/Base" is no time zone'),
        ('[[route]]\nname = "r"\npattern = "9("\ntrunks = ["b"]', "x.toml:3: route[0].pattern:"),
        (
            '[[access_number]]\nnumber = "1"\nto = "2"\ntrunk = "b"',
            "x.toml:4: access_number[0].trunk: there is no trunk",
        ),
        ('[[extension]]\nnumber = "1001"', "x.toml:1: extension[0]: object missing required field `password`"),
        ('[[extension]]\nnumber = "1001"\npassword = "short"', "x.toml:3: extension[0].password:"),
        ('[media]\nrtp_ports = "30000-20000"', "x.toml:2: media.rtp_ports:"),
        ('[media]\ncodecs = ["G729"]', 'x.toml:2: media.codecs: "G729" is not known'),
        ('[sip]\ndigest_algorithms = ["SHA1"]', 'x.toml:2: sip.digest_algorithms: "SHA1" is not known'),
        ('[control]\nlisten = "localhost:8470"', "x.toml:2: control.listen:"),
        ("[sip]\nlisten = [", "x.toml"),
        (VOICE + 'language = "zh"\nprovider = "hibari"', "x.toml:3: speech.voice[0].provider: hibari speaks English"),
        (VOICE + 'language = "zh"\nprovider = "piper"', "x.toml:1: speech.voice[0].file: piper needs a voice file"),
        (HTTP_VOICE + 'url = "ftp://a/{text}"', "x.toml:4: speech.voice[0].url: must begin with http://"),
        (HTTP_VOICE + 'url = "http://{voice}/{text}"', "speech.voice[0].url: must begin with http:// or https:// and"),
        (HTTP_VOICE + 'url = "http://a/b"', "x.toml:4: speech.voice[0].url: must contain {text}"),
        (
            HTTP_VOICE + 'url = "http://a"\nmethod = "POST"\nbody = { input = "x" }',
            "x.toml:6: speech.voice[0].body: a field must contain {text}",
        ),
        (HTTP_VOICE + 'ulr = "http://a/b"', 'speech.voice[0].ulr: no such key; did you mean "url"?'),
        (
            HTTP_VOICE + 'url = "http://a/{text}"\n' + HTTP_VOICE + 'url = "http://a/{text}"',
            'x.toml:6: speech.voice[1].language: "zh" has a voice already',
        ),
        ('[numbering]\nemergency_trunks = ["b"]', 'x.toml:2: numbering.emergency_trunks: there is no trunk "b"'),
    ],
)
def test_an_error_names_file_line_key_and_what_would_be_right(text, message):
    with pytest.raises(ConfigError) as error:
        parse_config(text, "x.toml")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("x.toml")


def test_a_file_that_is_not_there_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError, match="ringback init"):
        load_config(tmp_path / "none.toml")


def test_paths_are_relative_to_the_file(tmp_path):
    (tmp_path / "r.toml").write_text('[node]\ndirectory = "d"\n')
    config = load_config(tmp_path / "r.toml")
    assert config.resolve("x") == tmp_path / "d" / "x"
    assert config.storage_url == f"sqlite+aiosqlite:///{tmp_path}/d/ringback.db"


def test_flows_that_numbers_name_lie_beside_the_file(tmp_path):
    (tmp_path / "data" / "flows").mkdir(parents=True)
    (tmp_path / "data" / "flows" / "main.json").write_text("{}")
    text = '[ivr]\nflows = "flows"\n[[access_number]]\nnumber = "4001"\nto = "ivr:{}"\n'
    (tmp_path / "r.toml").write_text(text.format("main"))
    assert load_config(tmp_path / "r.toml").access_number[0].to == "ivr:main"
    (tmp_path / "r.toml").write_text(text.format("other"))
    with pytest.raises(ConfigError, match='no flow "other"'):
        load_config(tmp_path / "r.toml")


def test_the_configuration_that_init_writes_is_good_and_private(tmp_path):
    written = write_configuration(tmp_path, 3)
    config = load_config(tmp_path / "ringback.toml")
    assert [e.number for e in config.extension] == ["1001", "1002", "1003"]
    assert len({e.password for e in config.extension}) == 3
    assert config.control.user[0].role == "administrator"
    assert all(path.stat().st_mode & 0o077 == 0 for path, _ in written)
    token = (tmp_path / "ringback.token").read_text().strip()
    assert token not in (tmp_path / "ringback.toml").read_text()
    with pytest.raises(FileExistsError):
        write_configuration(tmp_path, 3)


def test_every_default_shown_by_init_is_the_default():
    shown = configuration_text("sha256:" + "0" * 64, 0)
    sections = shown[: shown.index("[[control.user]]")]
    lines = [re.sub(r"^# (?=[a-z_]+ = )", "", line) for line in sections.splitlines()]
    text = "\n".join(line for line in lines if re.match(r"\[|[a-z_]+ = ", line))
    assert "max_calls = " in text
    assert parse_config(text) == parse_config("")


def test_passwords_are_long_and_differ():
    passwords = {new_password() for _ in range(100)}
    assert len(passwords) == 100
    assert all(len(password) == 20 for password in passwords)


def test_the_documentation_is_the_generated_one():
    committed = Path("docs/configuration.md").read_text(encoding="utf-8")
    assert committed == documentation(), "python -m switch.init_config > docs/configuration.md"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("udp:[::]:5060", ("udp", "::", 5060)), ("tls:192.0.2.1:5061", ("tls", "192.0.2.1", 5061))],
)
def test_listen_addresses(text, expected):
    address = parse_listen(text)
    assert (address.transport, address.host, address.port) == expected


def test_lines_of_keys():
    text = "a = 1\n[t]\nb = 2\n[[l]]\nc = 3\n[[l]]\n\nc = 4\n"
    assert line_of(text, ["a"]) == 1
    assert line_of(text, ["t", "b"]) == 3
    assert line_of(text, ["l", 1, "c"]) == 8
    assert line_of(text, ["l", 1, "d"]) == 6
    assert line_of(text, ["nothing"]) == 1


def test_voices_stand_in_for_those_that_are_there_anyway(tmp_path):
    (tmp_path / "r.toml").write_text(
        '[speech]\nmax_mb = 3\n[[speech.voice]]\nlanguage = "zh"\nprovider = "piper"\nfile = "zh.onnx"\n'
    )
    config = load_config(tmp_path / "r.toml")
    setup = speech_setup(config)
    voices = {voice.language: voice for voice in setup.voices}
    assert (voices["zh"].provider, voices["zh"].file) == ("piper", str(config.resolve("zh.onnx")))
    assert voices["en"].provider == "hibari"
    assert (setup.folder, setup.max_bytes) == (str(config.resolve("speech")), 3 << 20)
