"""A server that breaks every rule: each fault is one clear error with curl's exit code, and the
next request works (S-31, S-32, S-33, S-34, S-36)."""
import gzip
import socket
import time

from checks import ROOT, check, expect, finish, get, run
from servers import Raw, answer, free_port, read_head, reset, silent_host

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GZIP = gzip.compress(b"some text " * 500)


def gzipped(data):
    return answer(data, b"Content-Encoding: gzip\r\n")


# what the server sends before it closes → exit code, words of the message
FAULTS = [
    (b"", 52, "without an answer"),
    (b"HTTP/1.1 200 OK\r\nContent-Le", 56, "inside the response head"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", 18, "ended early"),
    (CHUNKED + b"5\r\nhel", 18, "ended early"),
    (CHUNKED + b"5\r\nhello\r\n0\r\n", 18, "ended early"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", 8, "did not answer with HTTP"),
    (b"HTTP/2.0 200 OK\r\n\r\n", 8, "did not answer with HTTP"),
    (b"HTTP/1.1 2x0 OK\r\n\r\n", 8, "status line"),
    (b"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n", 8, "header line"),
    (b"HTTP/1.1 200 OK\r\nA: b\x00c\r\n\r\n", 8, "header line"),
    (b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", 8, "header line"),
    (b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", 8, "header line"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 8, "Content-Length"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 8, "Content-Length"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", 8, "Content-Length"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 8, "Transfer-Encoding"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 8, "Transfer-Encoding"),
    (b"HTTP/1.1 200 OK\r\nLocation: /a\r\nLocation: /b\r\n\r\n", 8, "header line"),
    (CHUNKED + b"ffffffffffffffffff\r\n", 56, "chunked framing"),
    (CHUNKED + b"5\nhello\r\n0\r\n\r\n", 56, "chunked framing"),
    (CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n", 56, "chunked framing"),
    (CHUNKED + b"5\r\nhelloX\r\n0\r\n\r\n", 56, "chunked framing"),
    (CHUNKED + b"1" + b";x" * 400 + b"\r\n", 63, "chunk framing"),
    (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n", 63, "header_count"),
    (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 20000 + b"\r\n\r\n", 63, "line_bytes"),
    (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 8, "switched protocols"),
    (b"HTTP/1.1 102 Processing\r\n\r\n" * 20 + answer(), 63, "interim_count"),
    (gzipped(b"this is not gzip at all"), 61, "corrupt"),
    (gzipped(GZIP[:-10]), 61, "corrupt"),
    (gzipped(GZIP[:-8] + b"\x00" * 8), 61, "checksum"),
    (gzipped(GZIP + b"trailing garbage"), 61, "corrupt"),
    (answer(b"x", b"Content-Encoding: br\r\n"), 61, "content coding"),
    (gzipped(gzip.compress(bytes(40_000_000))), 63, "inflate_ratio"),
]


def faults():
    for sent, code, words in FAULTS:
        def behave(connection, number, sent=sent):
            if read_head(connection):
                connection.sendall(sent)
        with Raw(behave) as server:
            expect(code, "--compressed", "-o", "/dev/null", server.url(f"/{sent[:20]!r}".replace(" ", "")
                                                                        .replace("\\", "").replace('"', "")), says=words)


def endless():
    """S-34: streams that never end are cut off at the limit, not at the end of the world."""
    def head(connection, number):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-Filler: " + b"y" * 1000 + b"\r\n")

    def interim(connection, number):
        read_head(connection)
        while True:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    def extensions(connection, number):
        read_head(connection)
        connection.sendall(CHUNKED)
        while True:
            connection.sendall(b"1;" + b"e" * 200 + b"\r\nx\r\n")

    for behave in (head, interim, extensions):
        with Raw(behave) as server:
            expect(63, "-o", "/dev/null", "--max-time", "20", server.url("/" + behave.__name__))


CUT = {  # transcript → exit codes that its cuts may have
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n": {18, 52, 56},
    CHUNKED + b"5\r\nhello\r\n0\r\nX-Trailer: value\r\n\r\n": {18, 52, 56},
    answer(b"0123456789"): {18, 52, 56},
    b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + answer(b"ok"): {18, 52, 56},
    gzipped(gzip.compress(b"short")): {18, 52, 56},
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"until close"): {0, 52, 56, 61},
}


def every_byte(is_reset):
    """S-36: a server that closes, or resets, at each byte of a response: never a success. (Without any
    framing, a body of no bytes that ends with its connection is one: RFC 9112 §6.3.)"""
    cuts = [(data, n) for data in CUT for n in range(len(data))]

    def behave(connection, number):
        data, n = cuts[number]
        read_head(connection)
        connection.sendall(data[:n])
        if is_reset:
            time.sleep(0.002)  # so that the bytes are there first, in most cases
            reset(connection)

    with Raw(behave) as server:
        said = []
        for first in range(0, len(cuts), 200):
            part = cuts[first:first + 200]
            outputs = [word for _ in part for word in ("-o", "/dev/null")]
            said += get("--compressed", *outputs, "-w", "%{exitcode} ", *[server.url("/")] * len(part)).stdout.split()
        check(len(said) == len(cuts), "one result for each cut", len(said))
        for (data, n), code in zip(cuts, map(int, said)):
            head = data.find(b"\r\n\r\n", data.find(b" 200 ")) + 4
            allowed = CUT[data] if not is_reset else CUT[data] - {0} | {52, 56}
            check(code in allowed and (code or n == head), f"cut at {n} of {data[:60]!r}{' by a reset' * is_reset}", code)


def reuse():
    """The connection pool: what must not be used again is not, and what died is replaced."""
    def stale(connection, number):
        if read_head(connection):
            connection.sendall(answer(b"first" if number == 0 else b"again"))
        if number == 0:
            reset(connection)  # while it lies idle in the client's pool

    with Raw(stale) as server:
        result = get("-w", "%{num_connects};", server.url("/a"), server.url("/b"))
        check(result.stdout == b"first1;again1;", "a connection that died idle is replaced", result.stdout)

    def dies_on_second(connection, number):
        read_head(connection)
        connection.sendall(answer(b"one"))
        if number == 0:
            read_head(connection)
            return
        read_head(connection) and connection.sendall(answer(b"two"))

    with Raw(dies_on_second) as server:
        result = get(server.url("/a"), server.url("/b"))
        check(result.stdout == b"oneone", "a GET is sent again, once", (result.returncode, result.stdout))
        check(server.accepted == 2, "over a new connection", server.accepted)
    with Raw(dies_on_second) as server:
        result = get("-d", "x", server.url("/a"), server.url("/b"))
        check(result.returncode == 52 and server.accepted == 1, "a POST is not sent again", result.stderr)

    def extra(connection, number):
        while read_head(connection):
            connection.sendall(answer(b"mine") + (answer(b"poison") if number == 0 else b""))

    with Raw(extra) as server:
        result = get(server.url("/a"), server.url("/b"))
        check(result.stdout == b"minemine" and server.accepted == 2, "S-03 a response nobody asked for", result.stdout)


def time_limits():
    def silent(connection, number):
        read_head(connection)
        time.sleep(5)

    def drip(connection, number):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        for _ in range(50):
            connection.sendall(b"x")
            time.sleep(0.1)

    with Raw(silent) as server:
        expect(28, "--max-time", "1", server.url("/"), says="phase head")
    with Raw(drip) as server:
        expect(28, "-m", "1", server.url("/"), says="phase body")
    port, held = silent_host()
    expect(28, "--connect-timeout", "0.4", f"http://127.0.0.1:{port}/", says="no answer in time")
    expect(7, f"http://127.0.0.1:{free_port()}/", says="Connection refused")
    expect(6, "http://no-such-name.invalid/", says="no-such-name.invalid")


def early_answer():
    """RELIABILITY 3.5: an answer that comes before the body was sent is read, not lost."""
    def refuse(connection, number):
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    (ROOT / "build/upload.bin").write_bytes(bytes(8_000_000))
    with Raw(refuse) as server:
        result = get("-w", "%{http_code}", "--data-binary", f"@{ROOT}/build/upload.bin", server.url("/"))
        check(result.returncode == 0 and result.stdout == b"big413", "an early 413 is read", (result.returncode, result.stdout, result.stderr))


def refused_input():
    expect(3, "http://127.0.0.1/a\r\nX: y", says="URL")
    expect(3, "http://127.0.0.1:99999/", says="port")
    expect(3, "http://[::1/")
    expect(3, "http://127.1/")
    expect(1, "ftp://127.0.0.1/", says="scheme")
    expect(2, "-H", "Bad Name: x", "http://127.0.0.1/", says="token")
    expect(2, "-H", "X: a\nb", "http://127.0.0.1/", says="control")
    expect(2, "-X", "GET /", "http://127.0.0.1/", says="token")
    expect(2, "--no-such-option", "http://127.0.0.1/", says="--help")
    expect(2, "--max-time", "soon", "http://127.0.0.1/", says="number")
    expect(26, "-d", "@/no/such/file", "http://127.0.0.1/", says="cannot read")
    check(run("turboget").returncode == 2, "no URL")
    check(b"63 limit" in run("turboget", "--help").stdout, "--help lists the exit codes")


def limits():
    def behave(connection, number):
        while read_head(connection):
            connection.sendall(answer(b"x" * 5000))
    with Raw(behave) as server:
        expect(63, "--max-filesize", "4999", server.url("/"), says="body_bytes")
        expect(0, "--max-filesize", "5000", server.url("/"), body=b"x" * 5000)


for part in (faults, endless, reuse, time_limits, early_answer, refused_input, limits):
    part()
every_byte(False)
every_byte(True)
finish()
