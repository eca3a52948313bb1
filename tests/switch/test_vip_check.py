"""Asking a customer system who is a VIP: answers of all sorts, and a real HTTP server that answers well, wrongly,
hugely, slowly, or not at all; configurations that make no sense."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from switch.config_file import ConfigError, parse_config
from switch.vip_check import MAX_ANSWER, fetch, verdict_of


@pytest.mark.parametrize(
    ("body", "is_vip"),
    [
        ("true", True),
        ("false", False),
        ("1", True),
        ('{"vip": true}', True),
        ('{"vip": 0}', False),
        ('{"vip": "Yes"}', True),
        ('{"vip": "no"}', False),
        ('{"vip": null}', False),
        ("null", False),
    ],
)
def test_what_an_answer_says(body, is_vip):
    assert verdict_of(body.encode(), "vip") is is_vip


def test_a_field_within_another():
    assert verdict_of(b'{"customer": {"level": "vip"}}', "customer.level")


@pytest.mark.parametrize("body", ["", "<html>", '{"level": 3}', '{"vip": []}', '{"vip": {"a": 1}}', "\xff"], ids=repr)
def test_what_is_no_answer(body):
    with pytest.raises(ValueError, match="the answer"):
        verdict_of(body.encode("latin-1"), "vip")


class Customers(BaseHTTPRequestHandler):
    seen: dict[str, str] = {}  # noqa: RUF012 (one server, one test)

    def do_GET(self):
        Customers.seen = {"path": self.path, "authorization": self.headers.get("Authorization", "")}
        if self.path.startswith("/slow"):
            self.send_response(200)
            self.end_headers()
            for _ in range(40):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.05)
            return
        status = 404 if self.path.startswith("/none") else 200
        body = b"x" * (MAX_ANSWER + 10) if self.path.startswith("/huge") else b'{"vip": true}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def test_a_real_server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Customers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        assert fetch(f"{url}/vip?n=138", {"Authorization": "Bearer x"}, 5.0) == b'{"vip": true}'
        assert Customers.seen == {"path": "/vip?n=138", "authorization": "Bearer x"}
        with pytest.raises(OSError, match="status 404"):
            fetch(f"{url}/none", {}, 5.0)
        with pytest.raises(ValueError, match="more than"):
            fetch(f"{url}/huge", {}, 5.0)
        with pytest.raises(TimeoutError, match="takes too long"):
            fetch(f"{url}/slow", {}, 0.3)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    with pytest.raises(OSError, match="refused"):
        fetch(url, {}, 1.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('method = "http"\n', "vip.url: must begin with http"),
        ('method = "http"\nurl = "file:///etc/passwd?{caller}"\n', "vip.url: must begin with http"),
        ('method = "http"\nurl = "https://crm.example/vip"\n', "vip.url: must contain {caller}"),
        ('method = "both"\n', "vip.method"),
    ],
)
def test_configurations_that_make_no_sense(text, says):
    with pytest.raises(ConfigError, match=says):
        parse_config(f"[vip]\n{text}")
