"""What Prometheus reads over HTTP, from a switch whose loop goes on meanwhile; and where it may be read."""

import asyncio
import urllib.error
import urllib.request

import pytest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from switch import prometheus
from switch.config_file import ConfigError, parse_config
from switch.listening import UnusableError
from switch.prometheus import Exporter


def page(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10.0) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        error.close()
        raise OSError(f"status {error.code}") from None


def test_the_page_is_read_in_the_loop_and_the_port_is_free_afterwards():
    async def main():
        seen = []

        def read():
            seen.append(asyncio.get_running_loop())
            return [GaugeMetricFamily("ringback_calls", "Live calls.", value=7.0)]

        exporter = Exporter("127.0.0.1:0", read)
        text = await asyncio.to_thread(page, exporter.port)
        (family,) = text_string_to_metric_families(text)
        assert (family.name, family.samples[0].value) == ("ringback_calls", 7.0)
        assert seen == [asyncio.get_running_loop()]
        with pytest.raises(UnusableError, match=r"prometheus\.listen"):
            Exporter(f"127.0.0.1:{exporter.port}", read)
        port = exporter.port
        await asyncio.to_thread(exporter.close)
        Exporter(f"127.0.0.1:{port}", read).close()

    asyncio.run(main())


def test_a_loop_that_hangs_gives_an_error_and_no_old_figures(monkeypatch):
    monkeypatch.setattr(prometheus, "READ_S", 0.05)

    async def main():
        exporter = Exporter("127.0.0.1:0", list)
        asked = asyncio.get_running_loop().run_in_executor(None, page, exporter.port)
        deadline = asyncio.get_running_loop().time() + 0.5
        while asyncio.get_running_loop().time() < deadline:
            pass
        with pytest.raises(OSError, match="status 500"):
            await asked
        await asyncio.to_thread(exporter.close)

    asyncio.run(main())


@pytest.mark.parametrize("listen", ["0.0.0.0:9464", "9464", "192.0.2.1:9464", "127.0.0.1"])
def test_only_this_machine_is_served(listen):
    with pytest.raises(ConfigError, match=r"prometheus\.listen"):
        parse_config(f'[prometheus]\nlisten = "{listen}"\n')
