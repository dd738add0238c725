"""A TLS connection through a hostile middle: cut at every byte of the server's side, altered at every third
one, dripped, replaced by garbage. Never a success, always an error of the right kind, in bounded time.
One call of build/turboget fetches many URLs; each opens a connection of its own."""
import os
import random
import re
import select
import socket
import sys
import threading
import time

from certificates import Certificates
from checks import check, expect, finish, get
from servers import Raw, read_head, reset
from tls_servers import Scripted

random.seed(5)
BODY = b"a body that lasts until close_notify: " + bytes(range(256)) * 2
AT_ONCE = 200
NOT_A_SUCCESS = {18, 35, 52, 55, 56, 60}
STEP = int(os.environ.get("TLS_FAULT_STEP", "1"))


def until_close(connection, _):
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY)
    connection.unwrap()


class Middle(Raw):
    """Between client and server: `fault(n)` says what happens to connection n: ("cut", k), ("reset", k),
    ("flip", k, bit), ("drip",) or None. Bytes from the server are counted; `seen` keeps the last ones."""

    def __init__(self, target, fault):
        super().__init__(self.relay)
        self.target, self.fault, self.seen = target, fault, b""

    def relay(self, client, number):
        fault, passed = self.fault(number), b""
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with socket.create_connection(("127.0.0.1", self.target)) as server:
            if fault and fault[0] in ("cut", "reset") and fault[1] == 0:
                client.recv(65536)
                return reset(client) if fault[0] == "reset" else None
            while True:
                ready, _, _ = select.select([client, server], [], [], 0.4 if fault and fault[0] == "flip" else 20)
                if not ready:
                    return None  # an altered length: one side waits for what never comes
                if client in ready:
                    data = client.recv(65536)
                    if not data:
                        return None
                    server.sendall(data)
                if server in ready:
                    data = server.recv(65536)
                    if not data:
                        break
                    done = self.forward(client, fault, len(passed), data)
                    passed += data
                    self.seen = passed
                    if done:
                        return reset(client) if fault[0] == "reset" else None
        return None

    @staticmethod
    def forward(client, fault, at, data):
        """True when the connection shall end here."""
        kind = fault[0] if fault else ""
        if kind == "flip" and at <= fault[1] < at + len(data):
            data = bytearray(data)
            data[fault[1] - at] ^= 1 << fault[2]
        if kind in ("cut", "reset") and at + len(data) >= fault[1]:
            client.sendall(data[:fault[1] - at])
            return True
        if kind == "drip":
            for byte in bytes(data):
                client.sendall(bytes([byte]))
            return False
        client.sendall(data)
        return False


def records(data):
    """(offset, type, length) of the records of a capture."""
    at = 0
    while at + 5 <= len(data):
        length = data[at + 3] << 8 | data[at + 4]
        yield at, data[at], length
        at += 5 + length


class Setting:
    def __init__(self, made, root, certificate, chain):
        self.made, self.root = made, root
        self.server = Scripted(until_close, certificate, chain, folder=made.folder)

    def codes(self, faults):
        """The exit code of one connection for each fault."""
        got, sentences = [], []
        for begin in range(0, len(faults), AT_ONCE):
            some = faults[begin:begin + AT_ONCE]
            with Middle(self.server.port, lambda n: some[n] if n < len(some) else None) as middle:
                url = f"https://server.test:{middle.port}/"
                result = get("--no-sessionid", "--cacert", self.root.path, "-m", 20, "-w", "<%{exitcode}|%{errormsg}>", "-o", os.devnull,
                             "--resolve", f"server.test:{middle.port}:127.0.0.1", *sum([["-o", os.devnull, url] for _ in some], []),
                             timeout=300)
                found = re.findall(r"<(\d+)\|([^>]*)>", result.stdout.decode())
                check(len(found) == len(some), "a result for every connection", (len(found), len(some), result.stderr[-300:]))
                got += [int(code) for code, _ in found]
                sentences += [text for _, text in found]
        return got, sentences

    def capture(self):
        with Middle(self.server.port, lambda n: None) as middle:
            expect(0, "--cacert", self.root.path, "--resolve", f"server.test:{middle.port}:127.0.0.1",
                   f"https://server.test:{middle.port}/", body=BODY)
        return middle.seen


def cut(setting, name, varies):
    """`varies`: an ECDSA signature may be some bytes shorter, so the last few positions may be behind the end."""
    seen = setting.capture()
    first_data = next(at for at, kind, _ in records(seen) if kind == 23)
    last = len(seen) - (14 if varies else 0)
    for kind, step in (("cut", STEP), ("reset", 7 * STEP)):
        places = list(range(0, last, step))
        got, sentences = setting.codes([(kind, k) for k in places])
        for k, code, sentence in zip(places, got, sentences):
            allowed = {35} if k < first_data - (20 if varies else 0) else {35, 52, 55, 56}
            check(code in allowed and len(sentence) > 15, f"{name}: {kind} at byte {k} of {len(seen)}", (code, sentence))
    print(f"{name}: {len(seen)} bytes from the server, data from {first_data} on", file=sys.stderr)
    return seen


def altered(setting, name, seen):
    places = range(0, len(seen) - 14, 3 * STEP)  # tests/unit/test_tls_bearssl.c alters more
    faults = [("flip", k, random.randrange(8)) for k in places]
    got, sentences = setting.codes(faults)
    # The version in the header of the first record says nothing (RFC 5246 appendix E.1).
    for fault, code, sentence in zip(faults, got, sentences):
        is_free = fault[1] == 2
        check(code in NOT_A_SUCCESS and len(sentence) > 15 or is_free, f"{name}: bit {fault[2]} of byte {fault[1]} flipped",
              (code, sentence))


def dripped(setting):
    got, sentences = setting.codes([("drip",)] * 5)
    check(got == [0] * 5, "byte by byte", (got, sentences))


def hostile(root):
    """Servers that never were any."""
    def speaking(*parts, endless=None):
        def behave(connection, _):
            connection.recv(65536)
            for part in parts:
                connection.sendall(part)
            deadline = time.monotonic() + 10
            while endless and time.monotonic() < deadline:
                connection.sendall(endless)
            connection.recv(65536)
        return behave

    def refused(what, behave, codes, seconds=9):
        with Raw(behave) as server:
            started = time.monotonic()
            result = get("--cacert", root.path, "-m", 2, "--connect-timeout", 2, f"https://127.0.0.1:{server.port}/")
            spent = time.monotonic() - started
            check(result.returncode in codes and len(result.stderr) > 20, what, (result.returncode, result.stderr))
            check(spent < seconds, f"{what}: in bounded time", spent)

    def handshake(kind, body):
        message = bytes([kind]) + len(body).to_bytes(3, "big") + body
        return b"\x16\x03\x03" + len(message).to_bytes(2, "big") + message

    hello = handshake(2, b"\x03\x03" + bytes(32) + b"\0" + b"\xc0\x2b" + b"\0")
    for i in range(30):
        refused(f"garbage {i}", speaking(random.randbytes(random.randrange(1, 3000))), {35, 28})
    for kind in (20, 21, 22, 23, 24, 128):
        refused(f"a record of type {kind} and 65535 bytes", speaking(bytes([kind, 3, 3, 255, 255]) + bytes(66000)), {35})
        refused(f"an empty record of type {kind}, for ever", speaking(endless=bytes([kind, 3, 3, 0, 0]) * 1000), {35, 28})
    refused("HelloRequest for ever", speaking(endless=handshake(0, b"") * 1000), {35, 28})
    refused("warnings for ever", speaking(endless=b"\x15\x03\x03\0\x02\x01\x0a" * 1000), {35, 28})
    refused("a fatal alert", speaking(b"\x15\x03\x03\0\x02\x02\x28"), {35})
    refused("close_notify at once", speaking(b"\x15\x03\x03\0\x02\x01\0"), {35})
    refused("half an alert", speaking(b"\x15\x03\x03\0\x01\x02"), {35, 28})
    refused("hello, and hello again", speaking(hello, hello), {35})
    refused("hello, and no certificates", speaking(hello, handshake(11, b"\0\0\0")), {35, 60})
    refused("hello, and an empty certificate", speaking(hello, handshake(11, b"\0\0\3\0\0\0")), {35, 60})
    long_one = b"\x16\x03\x03\x40\0" + b"\x0b\xff\xff\xff\xff\xff\xfc\xff\xff\xf9" + bytes(16384 - 10)
    refused("hello, and a certificate without end", speaking(hello, long_one, endless=b"\x16\x03\x03\x40\0" + bytes(16384)), {35, 60, 28})
    refused("a hello without end", speaking(b"\x16\x03\x03\x40\0\x02\xff\xff\xff" + bytes(16380), endless=b"\x16\x03\x03\x40\0" + bytes(16384)),
            {35, 28})
    refused("ChangeCipherSpec first", speaking(b"\x14\x03\x03\0\x01\x01" + bytes(100)), {35})
    refused("data first", speaking(b"\x17\x03\x03\0\x05hello"), {35})
    refused("a version of the far future", speaking(b"\x16\x04\x05\0\x05hello"), {35})
    refused("nothing at all", speaking(), {28})


with Certificates() as made:
    root = made.authority("Root", key="ec")
    middle = made.authority("Middle", root, key="rsa")
    hostile(root)
    for name, key in (("EC", "ec"), ("RSA", "rsa")):
        certificate = made.issue("server.test", middle if key == "rsa" else root, key=key)
        setting = Setting(made, root, certificate, [middle] if key == "rsa" else [])
        with setting.server:
            dripped(setting)
            capture = cut(setting, name, key == "ec")
            altered(setting, name, capture)
finish()
