"""The one way out against a real server on the loopback, and against names that lie."""

import ipaddress
import logging
import ssl
import threading
import time
import traceback
import tracemalloc
from dataclasses import replace

import pytest

from annotator.errors import InvalidError
from annotator.runtime.destinations import (
    Destination,
    Key,
    NotAllowedError,
    kind,
    parse_base_url,
)
from annotator.runtime.gateway import Gateway
from annotator.runtime.outbound import (
    SLICE_SECONDS,
    CallLimits,
    StoppedError,
    TooLargeError,
    TooSlowError,
    UnreachableError,
    UnreadableError,
    UntrustedError,
)
from tests.llm import loopback
from tests.llm.loopback import Loopback

CANARY = "sk-canary-81f0"
PATIENT = CallLimits(
    connect_seconds=60, silence_seconds=60, whole_seconds=60, answer_bytes=1_000_000
)
# For what never comes; whatever does come may take its time on a busy machine.
QUICK = replace(PATIENT, connect_seconds=1, silence_seconds=0.6, whole_seconds=1.2)
SOON_SECONDS = 30  # long after QUICK, and long before what is called would have ended


def gateway_to(server, **options):
    return Gateway([Destination(host="127.0.0.1", port=server.port)], limits=PATIENT, **options)


def ask(server, *, path="/chat/completions", body=b"{}", key=None, **options):
    with gateway_to(server) as gateway:
        return gateway.call(gateway.endpoint(server.base_url, key), "POST", path, body, **options)


def leading_to(*addresses):
    return lambda host, port: [ipaddress.ip_address(address) for address in addresses]


class TestAllowList:
    def test_a_listed_address_is_called(self):
        with Loopback(loopback.echo) as server:
            reply = ask(server, body=b'{"a": 1}')
        assert reply.status == 200
        assert server.requests[0]["path"] == "/v1/chat/completions"
        assert server.requests[0]["body"] == b'{"a": 1}'

    def test_headers_of_a_webhook_travel_and_no_others(self):
        with Loopback(loopback.echo) as server:
            ask(server, headers={"webhook-id": "msg_1"})
            for headers in (
                {"host": "evil.example"},
                {"authorization": "Bearer x"},
                {"webhook-id\r\nhost": "x"},
                {"webhook-id": "x\r\nhost: evil.example"},
            ):
                with pytest.raises(InvalidError, match="not a header"):
                    ask(server, headers=headers)
        assert [each["headers"]["webhook-id"] for each in server.requests] == ["msg_1"]

    def test_another_port_of_a_listed_host_is_refused(self):
        with Loopback(loopback.echo) as server, Gateway([]) as nothing:
            with pytest.raises(NotAllowedError, match="not on this server's list"):
                nothing.endpoint(server.base_url)
            other = Gateway([Destination(host="127.0.0.1", port=server.port ^ 1)])
            with pytest.raises(NotAllowedError):
                other.endpoint(server.base_url)
        assert server.requests == []

    @pytest.mark.parametrize(
        "text",
        [
            "http://2130706433:{port}/",
            "http://0x7f000001:{port}/",
            "http://0177.0.0.1:{port}/",
            "http://127.1:{port}/",
            "http://localhost:{port}/",
            "http://[::1]:{port}/",
            "http://[::]:{port}/",
            "http://0.0.0.0:{port}/",
            "http://127.0.0.1.nip.io:{port}/",
            "http://user@127.0.0.1:{port}/",
            "http://127.0.0.1:{port}@evil.example/",
            "http://evil.example\\@127.0.0.1:{port}/",
            "http://127.0.0.1:{port}/../admin",
            "http://127.0.0.1:{port}/?next=http://evil.example",
            "http://127.0.0.1:{port}/#part",
            "http://127.0.0.1%2eevil.example:{port}/",
            "http://①②⑦.⓪.⓪.①:{port}/",
            "http://127.0.0.1:{port}/a b",
            "http://127.0.0.1\t:{port}/",
            "http://127.0.0.1:99999/",
            "http:///v1",
            "//127.0.0.1:{port}/",
            "file:///etc/passwd",
            "gopher://127.0.0.1:{port}/",
            "ftp://127.0.0.1:{port}/",
            "unix:/run/docker.sock",
            "javascript:alert(1)",
            "",
        ],
    )
    def test_other_spellings_and_schemes_do_not_get_past_the_list(self, text):
        with (
            Loopback(loopback.echo) as server,
            gateway_to(server) as gateway,
            pytest.raises((NotAllowedError, InvalidError)),
        ):
            gateway.endpoint(text.format(port=server.port))
        assert server.requests == []

    def test_the_mapped_spelling_of_a_listed_address_is_that_address(self):
        url = parse_base_url("http://[::ffff:127.0.0.1]:80/")
        assert (url.host, url.port) == ("127.0.0.1", 80)

    @pytest.mark.parametrize("path", ["chat", "/../admin", "/a b", "/a?x", "/a\r\nHost: b", "//é"])
    def test_a_path_cannot_leave_the_base_address(self, path):
        with Loopback(loopback.echo) as server, pytest.raises(InvalidError):
            ask(server, path=path)
        assert server.requests == []

    def test_a_query_is_sent_and_in_no_log(self, caplog):
        with Loopback(loopback.echo) as server, caplog.at_level("DEBUG", logger="annotator"):
            ask(server, path="/hook", query="token=a%20b&to=x/y?")
        assert server.requests[0]["path"] == "/v1/hook?token=a%20b&to=x/y?"
        assert "token" not in caplog.text

    @pytest.mark.parametrize("query", ["a b", "a#b", "a\r\nHost: b", "é"])
    def test_a_query_cannot_end_the_line(self, query):
        with Loopback(loopback.echo) as server, pytest.raises(InvalidError):
            ask(server, path="/hook", query=query)
        assert server.requests == []


class TestNames:
    """What a name on the list may lead to."""

    @pytest.mark.parametrize(
        ("row", "addresses"),
        [
            (Destination(host="api.example.com", port=443), ["127.0.0.1"]),
            (Destination(host="api.example.com", port=443), ["10.1.2.3"]),
            (Destination(host="api.example.com", port=443), ["192.168.0.7"]),
            (Destination(host="api.example.com", port=443), ["172.16.0.1"]),
            (Destination(host="api.example.com", port=443), ["100.64.0.1"]),
            (Destination(host="api.example.com", port=443), ["169.254.169.254"]),
            (Destination(host="api.example.com", port=443), ["168.63.129.16"]),
            (Destination(host="api.example.com", port=443), ["0.0.0.0"]),
            (Destination(host="api.example.com", port=443), ["255.255.255.255"]),
            (Destination(host="api.example.com", port=443), ["224.0.0.1"]),
            (Destination(host="api.example.com", port=443), ["::1"]),
            (Destination(host="api.example.com", port=443), ["::"]),
            (Destination(host="api.example.com", port=443), ["fe80::1"]),
            (Destination(host="api.example.com", port=443), ["fd00::1"]),
            (Destination(host="api.example.com", port=443), ["ff02::1"]),
            (Destination(host="api.example.com", port=443), ["::ffff:127.0.0.1"]),
            (Destination(host="api.example.com", port=443), ["::ffff:10.0.0.1"]),
            (Destination(host="api.example.com", port=443), ["2002:7f00:1::"]),
            (Destination(host="api.example.com", port=443), ["2001:0:1::1"]),
            (Destination(host="api.example.com", port=443), ["64:ff9b::7f00:1"]),
            (Destination(host="api.example.com", port=443), ["8.8.8.8", "127.0.0.1"]),
            (Destination(host="vllm.lan", port=443, private=True), ["127.0.0.1"]),
            (Destination(host="vllm.lan", port=443, private=True), ["169.254.169.254"]),
            (Destination(host="vllm.lan", port=443, private=True), ["fd00:ec2::254"]),
            (Destination(host="vllm.lan", port=443, private=True), ["100.100.100.200"]),
            (Destination(host="vllm.lan", port=443, private=True), ["8.8.8.8"]),
            (Destination(host="localhost", port=443), ["10.0.0.1"]),
            (Destination(host="localhost", port=443), ["8.8.8.8"]),
            (Destination(host="169.254.169.254", port=443), []),
        ],
    )
    def test_that_leads_elsewhere_than_its_row_says_is_not_dialled(self, row, addresses):
        with Gateway([row], resolve=leading_to(*addresses), limits=PATIENT) as gateway:
            endpoint = gateway.endpoint(f"https://{row}/v1")
            with pytest.raises(NotAllowedError, match="may not call"):
                gateway.call(endpoint, "POST", "/x")

    def test_is_dialled_at_the_address_that_was_checked_and_resolved_once(self):
        asked = []

        def rebinding(host, port):
            asked.append(host)
            return leading_to("127.0.0.1" if len(asked) == 1 else "10.255.255.1")(host, port)

        with Loopback(loopback.echo) as server:
            row = Destination(host="localhost", port=server.port)
            with Gateway([row], resolve=rebinding, limits=PATIENT) as gateway:
                endpoint = gateway.endpoint(f"http://localhost:{server.port}/v1")
                for _ in range(3):
                    assert gateway.call(endpoint, "POST", "/x").status == 200
        assert asked == ["localhost"]
        assert server.requests[0]["headers"]["host"] == f"localhost:{server.port}"

    def test_without_an_address_is_unreachable(self):
        def unknown(host, port):
            raise OSError

        row = Destination(host="api.example.com", port=443)
        with (
            Gateway([row], resolve=unknown, limits=PATIENT) as gateway,
            pytest.raises(UnreachableError, match="no address"),
        ):
            gateway.call(gateway.endpoint("https://api.example.com"), "POST", "/x")

    def test_that_resolves_slowly_does_not_hold_the_caller(self):
        done = threading.Event()
        row = Destination(host="api.example.com", port=443)
        with Gateway([row], resolve=lambda *_: done.wait(120) and [], limits=QUICK) as gateway:
            began = time.monotonic()
            with pytest.raises(TooSlowError):
                gateway.call(gateway.endpoint("https://api.example.com"), "POST", "/x")
            assert time.monotonic() - began < SOON_SECONDS
        done.set()

    def test_public_and_private_addresses_are_told_apart(self):
        kinds = {
            "8.8.8.8": "public",
            "2606:4700::1": "public",
            "64:ff9b::808:808": "public",
            "10.0.0.1": "private",
            "127.8.8.8": "loopback",
            "192.0.2.1": "never",
            "198.18.0.1": "never",
            "240.0.0.1": "never",
        }
        assert {text: kind(ipaddress.ip_address(text)) for text in kinds} == kinds


class TestKey:
    def test_reaches_its_own_host_as_a_bearer_token(self):
        with Loopback(loopback.text()) as server:
            ask(server, key=Key(CANARY, "127.0.0.1", server.port))
        assert server.requests[0]["headers"]["authorization"] == f"Bearer {CANARY}"

    def test_is_refused_at_another_host_or_port(self):
        with Loopback(loopback.text()) as server, gateway_to(server) as gateway:
            for key in (Key(CANARY, "api.example.com", 443), Key(CANARY, "127.0.0.1", 1)):
                with pytest.raises(NotAllowedError, match="enter the key again"):
                    gateway.endpoint(server.base_url, key)
        assert server.requests == []

    def test_does_not_travel_unencrypted_over_the_internet(self):
        with (
            Gateway([Destination(host="api.example.com", port=80)]) as gateway,
            pytest.raises(NotAllowedError, match="https"),
        ):
            gateway.endpoint("http://api.example.com", Key(CANARY, "api.example.com", 80))

    @pytest.mark.parametrize("value", ["", "a b", "a\r\nX-Admin: 1", "clé", "x" * 5000])
    def test_that_could_break_a_header_is_refused_without_being_repeated(self, value):
        with pytest.raises(InvalidError) as caught:
            Key(value, "127.0.0.1", 80)
        assert not value or value not in str(caught.value)

    def test_is_in_no_text_log_or_error(self, caplog):
        key = Key(CANARY, "127.0.0.1", 1)
        told = [repr(key), str(key)]
        plays = [
            loopback.text(), loopback.echo, loopback.cut, loopback.not_http, loopback.hang_up,
            loopback.redirect("http://127.0.0.1/"), loopback.silent, loopback.huge(3_000_000),
            loopback.text(b"x", 500), loopback.text(b"x", 200, {"Content-Encoding": "br"}),
        ]  # fmt: skip
        with caplog.at_level(logging.DEBUG):
            for play in plays:
                with Loopback(play) as server:
                    key = Key(CANARY, "127.0.0.1", server.port)
                    limits = QUICK if play is loopback.silent else PATIENT
                    try:
                        told.append(repr(ask(server, key=key, limits=limits)))
                    except (
                        UnreachableError,
                        UnreadableError,
                        TooLargeError,
                        TooSlowError,
                    ) as error:
                        told += ["".join(traceback.format_exception(error))]
                    assert server.requests
        assert len(told) > len(plays)
        assert caplog.text
        assert CANARY not in caplog.text + "".join(told)

    def test_in_an_answer_drops_the_answer(self):
        with (
            Loopback(loopback.echo) as server,
            pytest.raises(UnreadableError, match="repeats the key"),
        ):
            ask(server, key=Key(CANARY, "127.0.0.1", server.port))


class TestFaults:
    @pytest.mark.parametrize(
        ("play", "limits", "error"),
        [
            (loopback.redirect("http://169.254.169.254/"), PATIENT, UnreadableError),
            (loopback.redirect("/v1/elsewhere"), PATIENT, UnreadableError),
            (loopback.silent, QUICK, TooSlowError),
            (loopback.drip, QUICK, TooSlowError),
            (loopback.header_drip, QUICK, TooSlowError),
            (loopback.cut, PATIENT, UnreachableError),
            (loopback.hang_up, PATIENT, UnreachableError),
            (loopback.not_http, PATIENT, UnreachableError),
            (loopback.endless, PATIENT, TooLargeError),
            (loopback.endless_headers, QUICK, (TooLargeError, TooSlowError)),
            (loopback.huge(1_000_001), PATIENT, TooLargeError),
            (loopback.bomb(200_000_000), PATIENT, TooLargeError),
            (
                loopback.text(b"not gzip", 200, {"Content-Encoding": "gzip"}),
                PATIENT,
                UnreadableError,
            ),
            (loopback.text(b"x", 200, {"Content-Encoding": "br"}), PATIENT, UnreadableError),
        ],
    )
    def test_ends_soon_with_its_own_error_and_the_next_call_works(self, play, limits, error):
        with Loopback([play, loopback.text(b'{"ok": 1}')]) as server:
            with gateway_to(server) as gateway:
                endpoint = gateway.endpoint(server.base_url)
                began = time.monotonic()
                with pytest.raises(error) as caught:
                    gateway.call(endpoint, "POST", "/x", b"{}", limits=limits)
                assert time.monotonic() - began < SOON_SECONDS
                assert caught.value.detail.endswith(".")
                assert caught.value.sent
                assert gateway.call(endpoint, "POST", "/x", b"{}").body == b'{"ok": 1}'
            assert len(server.requests) == 2

    def test_a_bomb_is_unpacked_no_further_than_allowed(self):
        with Loopback(loopback.bomb(200_000_000)) as server:
            tracemalloc.start()
            with pytest.raises(TooLargeError):
                ask(server)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak < 20_000_000

    @pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500, 503])
    def test_any_status_but_a_redirect_is_an_answer(self, status):
        with Loopback(
            loopback.text(b"why", status, {"Retry-After": "7", "Set-Cookie": "a=b"})
        ) as server:
            reply = ask(server)
        assert (reply.status, reply.body) == (status, b"why")
        assert reply.headers["retry-after"] == "7"
        assert "set-cookie" not in reply.headers

    def test_gzip_within_the_limits_is_unpacked(self):
        with Loopback(loopback.bomb(500_000)) as server:
            assert ask(server).body == b"0" * 500_000

    def test_a_request_larger_than_allowed_is_not_sent(self):
        with Loopback(loopback.text()) as server, pytest.raises(TooLargeError):
            ask(server, body=b"x" * 5000, limits=CallLimits(request_bytes=4999))
        assert server.requests == []

    def test_a_port_where_nothing_listens_is_unreachable(self):
        with Loopback(loopback.text()) as server:
            pass
        with pytest.raises(UnreachableError, match="Nothing answers") as caught:
            ask(server)
        assert not caught.value.sent

    def test_cancelling_ends_a_call_within_a_second(self):
        """It ends at the look that hears of it, and looks are less than a second apart."""
        began, looks = time.monotonic(), []

        def stop():
            looks.append(1)
            return len(looks) == 5

        with Loopback(loopback.silent) as server:
            with pytest.raises(StoppedError):
                ask(server, limits=PATIENT, stop=stop)
            assert time.monotonic() - began < SOON_SECONDS
        assert len(looks) == 5
        assert SLICE_SECONDS * 2 < 1

    def test_proxies_of_the_environment_are_not_used(self, monkeypatch):
        with (
            Loopback(loopback.text(b"proxy")) as proxy,
            Loopback(loopback.text(b"direct")) as server,
        ):
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            assert ask(server).body == b"direct"
        assert proxy.requests == []

    def test_threads_share_a_gateway_without_mixing_answers(self):
        found = {}
        with Loopback(loopback.echo) as server, gateway_to(server) as gateway:
            endpoint = gateway.endpoint(server.base_url)

            def work(number):
                for turn in range(10):
                    word = f"{number}-{turn}".encode()
                    reply = gateway.call(endpoint, "POST", "/x", word)
                    found[word] = f'"body": "{number}-{turn}"'.encode() in reply.body

            threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len(found) == 80
        assert all(found.values())


class TestTls:
    @pytest.mark.parametrize(
        ("names", "days"), [(["127.0.0.1"], 1), (["127.0.0.1"], -1), (["example.com"], 1)]
    )
    def test_a_certificate_that_is_unknown_expired_or_of_another_name_is_refused(
        self, tmp_path, names, days
    ):
        path = loopback.certificate(tmp_path, names, days=days)
        known = ssl.create_default_context(cafile=path)
        trust = None if names == ["127.0.0.1"] and days > 0 else known
        with (
            Loopback(loopback.text(), tls=loopback.serving(path)) as server,
            gateway_to(server, trust=trust) as gateway,
            pytest.raises(UntrustedError, match="not trusted"),
        ):
            gateway.call(gateway.endpoint(server.base_url), "POST", "/x")
        assert server.requests == []

    def test_a_trusted_certificate_of_that_name_is_accepted(self, tmp_path):
        path = loopback.certificate(tmp_path, ["127.0.0.1"])
        trust = ssl.create_default_context(cafile=path)
        with (
            Loopback(loopback.text(b"yes"), tls=loopback.serving(path)) as server,
            gateway_to(server, trust=trust) as gateway,
        ):
            endpoint = gateway.endpoint(server.base_url)
            assert [gateway.call(endpoint, "POST", "/x").body for _ in range(3)] == [b"yes"] * 3

    def test_a_port_without_tls_is_no_https_endpoint(self):
        with Loopback(loopback.text()) as server, gateway_to(server) as gateway:
            endpoint = gateway.endpoint(server.base_url.replace("http:", "https:"))
            with pytest.raises((UnreachableError, TooSlowError)):
                gateway.call(endpoint, "POST", "/x", limits=QUICK)
