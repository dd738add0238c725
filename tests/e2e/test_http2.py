"""HTTP/2 against servers of other people (nghttpd, nginx, Apache, h2o), over TLS and cleartext, and
against one made of frames that misbehaves on purpose (B5, B6, C2, E4, S-40 to S-48)."""
import os
import shutil
import socket
import struct
import subprocess
import tempfile
from pathlib import Path

from certificates import Certificates
from checks import check, expect, finish, get
from servers import Apache, Nghttpd, Process, Raw, wait_for_port
from tls_servers import SecureNginx

HOST = "server.test"
SMALL, BIG = b"small body\n", os.urandom(1 << 16) * 48


class H2Apache(Apache):
    def command(self):
        command = super().command()
        conf = self.folder / "apache.conf"
        conf.write_text(conf.read_text() + "\nLoadModule http2_module /usr/lib/apache2/modules/mod_http2.so\n"
                        "Protocols h2c http/1.1\n")
        return command


class H2o(Process):
    def __init__(self, certificate):
        super().__init__()
        self.certificate = certificate

    def command(self):
        conf = self.folder / "h2o.conf"
        user = "user: root\n" if os.getuid() == 0 else ""
        conf.write_text(f"""{user}listen:
  host: 127.0.0.1
  port: {self.port}
  ssl:
    certificate-file: {self.certificate.path}
    key-file: {self.certificate.key}
num-threads: 1
hosts:
  default:
    paths:
      /:
        file.dir: {self.root}
""")
        return ["h2o", "-c", str(conf)]

    def secure(self, path="/"):
        return f"https://{HOST}:{self.port}{path}"


def fetches(url, *options, name):
    """Small, large, missing, HEAD; many at a time over one connection."""
    small, big = url("/small"), url("/big")
    expect(0, *options, "-w", "|%{http_version} %{http_code} %{num_connects}", small, body=SMALL + b"|2 200 1")
    result = expect(0, *options, big)
    check(result.stdout == BIG, f"{name}: a large body", len(result.stdout))
    expect(0, *options, "-o", "/dev/null", "-w", "%{http_code}", url("/none"), body=b"404")
    expect(0, *options, "-I", "-o", "/dev/null", "-w", "%{http_code} %{size_download}", small, body=b"200 0")
    result = expect(0, *options, "-w", "%{num_connects}", small, small, small)
    check(result.stdout == SMALL + b"1" + SMALL + b"0" + SMALL + b"0", f"{name}: one after the other", result.stdout)
    urls = [small, big] * 30
    result = expect(0, *options, "--parallel", "--parallel-max", "40", "-w", "<%{http_version}:%{num_connects}>", *urls)
    check(result.stdout.count(b"<2:1>") == 1 and result.stdout.count(b"<2:0>") == 59, f"{name}: one connection for all")
    check(len(result.stdout) == 30 * (len(SMALL) + len(BIG)) + 60 * 5, f"{name}: all bytes of all", len(result.stdout))


def posts(url, *options, name):
    data = Path(tempfile.gettempdir()) / f"post-{os.getpid()}"
    data.write_bytes(BIG)
    for body in (b"x", b"y" * 3000):
        expect(0, *options, "--data-binary", body.decode(), url, body=body)
    result = expect(0, *options, "--data-binary", f"@{data}", url)
    check(result.stdout == BIG, f"{name}: a large post comes back", len(result.stdout))
    data.unlink()


def fill(server):
    server.file("small", SMALL)
    server.file("big", BIG)


# ------------------------------------------------------------------ frames by hand
SETTINGS, ACK, OK = b"\0\0\0\4\0\0\0\0\0", b"\0\0\0\4\1\0\0\0\0", b"\x88"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def frames(connection):
    """Yields (kind, flags, stream, payload) behind the preface."""
    data, at = b"", 24
    while True:
        while len(data) - at >= 9:
            length = int.from_bytes(data[at:at + 3], "big")
            if len(data) - at < 9 + length:
                break
            kind, flags = data[at + 3], data[at + 4]
            yield kind, flags, int.from_bytes(data[at + 5:at + 9], "big"), data[at + 9:at + 9 + length]
            at += 9 + length
        got = connection.recv(65536)
        if not got:
            return
        data += got


def script(*answers):
    """The n-th connection gets the n-th answer to each request: a function of the stream's number."""
    def behave(connection, number):
        connection.sendall(SETTINGS + ACK)
        for kind, flags, stream, _ in frames(connection):
            if kind == 4 and not flags & 1:
                continue
            if kind == 1:
                answer = answers[min(number, len(answers) - 1)](stream)
                if answer is None:  # the end without a reset: what still comes is read
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
                    return
                connection.sendall(answer)
    return Raw(behave)


def ok(stream):
    return frame(1, 4, stream, OK) + frame(0, 1, stream, b"fine")


PRIOR = "--http2-prior-knowledge"


def misbehaving():
    cases = [
        ("RST_STREAM", 92, lambda s: frame(3, 0, s, b"\0\0\0\2"), "error code 2"),
        ("REFUSED_STREAM for ever", 92, lambda s: frame(3, 0, s, b"\0\0\0\7"), "error code 7"),
        ("S_44 push", 16, lambda s: frame(5, 4, s, b"\0\0\0\2" + OK), None),
        ("S_41 bad compression", 16, lambda s: frame(1, 5, s, b"\xff\xff\xff\xff\xff\xff"), None),
        ("S_48 upper case", 92, lambda s: frame(1, 5, s, OK + b"\0\1A\1b"), None),
        ("S_48 line end", 92, lambda s: frame(1, 5, s, OK + b"\0\1a\3b\r\n"), None),
        ("frame too large", 16, lambda s: b"\xff\xff\xff\0\0\0\0\0\1" + b"x" * 100, None),
        ("not HTTP/2 at all", 16, lambda s: b"HTTP/1.1 400 Bad Request\r\n\r\n", None),
        ("S_36 body cut short", 18, lambda s: frame(1, 4, s, OK + b"\x0f\x0d\x029" + b"9") + frame(0, 1, s, b"x"), None),
        ("no answer", 52, lambda s: None, None),
        ("S_42 pings", 16, lambda s: frame(6, 0, 0, b"12345678") * 2000, None),
        ("S_42 settings", 16, lambda s: SETTINGS * 2000, None),
        ("S_42 empty data", 16, lambda s: frame(1, 4, s, OK) + frame(0, 0, s) * 2000, None),
        ("S_40 continuation", 16, lambda s: frame(1, 0, s, OK) + frame(9, 0, s) * 2000, None),
    ]
    for name, code, answer, says in cases:
        with script(answer) as server:
            expect(code, PRIOR, "-m", "10", "-o", "/dev/null", server.url(), says=says or f"({code})")


def repeating():
    refusals = []

    def refuse_once(stream):
        refusals.append(stream)
        return frame(3, 0, stream, b"\0\0\0\7") if len(refusals) == 1 else ok(stream)

    with script(refuse_once) as server:
        expect(0, PRIOR, "-d", "x", "-w", "|%{num_connects}", server.url(), body=b"fine|1")
        check(refusals == [1, 3], "a refused stream is repeated on the same connection", refusals)
    with script(lambda s: frame(7, 0, 0, b"\0\0\0\0" + b"\0\0\0\0"), ok) as server:
        expect(0, PRIOR, "-d", "x", server.url(), body=b"fine")
        check(server.accepted == 2, "what GOAWAY left out goes to a new connection", server.accepted)
    with script(lambda s: ok(s) if s == 1 else None, ok) as server:
        result = expect(0, PRIOR, server.url(), server.url(), body=b"finefine")
        check(server.accepted == 2, "a kept connection that died is replaced", (server.accepted, result.stderr))
        check(get(PRIOR, "-d", "x", server.url()).stdout == b"fine", "… and the next one serves")


def interim():
    with script(lambda s: frame(1, 4, s, b"\x08\x03103") + frame(1, 4, s, OK) + frame(0, 9, s, b"\2hi\0\0")) as server:
        expect(0, PRIOR, server.url(), body=b"hi")


with Certificates() as made:
    root = made.authority("root")
    leaf = made.issue(HOST, root, key="ec")
    trust = ["--cacert", root.path]

    with Nghttpd() as server:
        fill(server)
        fetches(server.url, PRIOR, name="nghttpd, cleartext")
        posts(server.url("/"), PRIOR, name="nghttpd, cleartext")
    with Nghttpd(leaf, "--max-concurrent-streams=3") as server:
        fill(server)
        here = [*trust, "--resolve", f"{HOST}:{server.port}:127.0.0.1"]
        fetches(server.secure, *here, name="nghttpd, three streams")
        posts(server.secure("/"), *here, name="nghttpd, TLS")
        expect(60, *here[2:], server.secure("/small"))
        result = expect(0, "--parallel", *here, "-w", "<%{http_version}>", *[server.secure("/small")] * 40)
        check(result.stdout.count(b"<2>") == 40, "requests wait for the first connection")
    with Nghttpd(leaf, "--header-table-size=0", "--window-bits=16") as server:
        fill(server)
        fetches(server.secure, *trust, "--resolve", f"{HOST}:{server.port}:127.0.0.1", name="nghttpd, no table")

    with SecureNginx(leaf, servers=[(HOST, "http2_max_concurrent_streams 10;")]) as server:
        fill(server)
        here = [*trust, "--resolve", f"{HOST}:{server.tls_port}:127.0.0.1"]
        expect(0, *here, "-w", "|%{http_version}", server.secure("/small"), body=SMALL + b"|1.1")
        result = expect(0, "--parallel", *here, "-w", "<%{http_version}>", *[server.secure("/small")] * 20)
        check(result.stdout.count(b"<1.1>") == 20, "a server that chooses HTTP/1.1", result.stdout[:200])
        conf = server.folder / "nginx.conf"
        conf.write_text(conf.read_text().replace(f"{server.tls_port} ssl;", f"{server.tls_port} ssl http2;"))
        server.process.terminate()
        server.process.wait(60)
        server.process = subprocess.Popen(["nginx", "-c", str(conf)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(server.tls_port, server.process)
        fetches(server.secure, *here, name="nginx")
        expect(0, *here, "--http1.1", "-w", "|%{http_version}", server.secure("/small"), body=SMALL + b"|1.1")
        expect(0, *here, "--http2", "-w", "|%{http_version}", server.secure("/small"), body=SMALL + b"|2")
        expect(0, *here, "--compressed", server.secure("/gzip/small"), body=SMALL)
        posts(server.secure("/echo"), *here, name="nginx")

    if Path("/usr/lib/apache2/modules/mod_http2.so").exists():
        with H2Apache() as server:
            fill(server)
            fetches(server.url, PRIOR, name="Apache, cleartext")
            expect(0, PRIOR, "--compressed", server.url("/gzip/small"), body=SMALL)
            expect(0, "-w", "|%{http_version}", server.url("/small"), body=SMALL + b"|1.1")
    if shutil.which("h2o"):
        with H2o(leaf) as server:
            fill(server)
            fetches(server.secure, *trust, "--resolve", f"{HOST}:{server.port}:127.0.0.1", name="h2o")

    misbehaving()
    repeating()
    interim()
finish()
