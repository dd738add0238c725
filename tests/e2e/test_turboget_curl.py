"""turboget beside curl: the same arguments must give the same exit code, the same bytes on standard
output, the same files and the same requests, and both say something on standard error or neither.

Where they differ on purpose the case stands in DIFFERENT, with what turboget does; --help says why."""
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import zlib
from pathlib import Path

from checks import ROOT, check, finish
from servers import Raw, answer

CURL = shutil.which("curl")
OURS = str(ROOT / "build" / os.environ.get("TURBOGET", "turboget"))
HELLO = b"hello world\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GZIP = gzip.compress(b"some text " * 500)
BIG = b"x" * 5000

KEPT = {  # answers after which the server goes on listening
    "/text": answer(HELLO), "/zero": answer(b""), "/404": answer(b"nope\n", status=b"404 Not Found"),
    "/500": answer(b"broken", status=b"500 Oh"), "/302": answer(b"", b"Location: text?a#b\r\n", b"302 Found"),
    "/204": b"HTTP/1.1 204 No Content\r\n\r\n", "/304": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "/chunked": CHUNKED + b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nX-Trailer: v\r\n\r\n",
    "/gzip": answer(GZIP, b"Content-Encoding: gzip\r\n"),
    "/deflate": answer(zlib.compress(b"zzz" * 100), b"Content-Encoding: deflate\r\n"),
    "/headers": answer(HELLO, b"X-Case: One\r\nx-case: two\r\nContent-Type: text/html; charset=x\r\n"),
    "/range": answer(b" worl", b"Content-Range: bytes 5-9/12\r\n", b"206 Partial Content"),
    "/416": answer(b"no", status=b"416 Range Not Satisfiable"), "/big": answer(BIG),
    "/bigchunked": CHUNKED + (b"3e8\r\n" + b"x" * 1000 + b"\r\n") * 5 + b"0\r\n\r\n",
}
ENDING = {  # answers behind which the connection ends
    "/nothing": b"", "/close": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil close",
    "/close10": b"HTTP/1.0 200 OK\r\nContent-Type: text/x\r\n\r\nuntil close",
    "/cut": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
    "/cutatonce": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
    "/chunkcut": CHUNKED + b"5\r\nhel", "/chunkless": CHUNKED, "/chunksize": CHUNKED + b"5",
    "/trailercut": CHUNKED + b"5\r\nhello\r\n0\r\n", "/trailercut2": CHUNKED + b"5\r\nhello\r\n0\r\nX-T: ",
    "/chunkbad": CHUNKED + b"zz\r\nhello", "/chunkhuge": CHUNKED + b"ffffffffffffffffff\r\n",
    "/chunkminus": CHUNKED + b"-5\r\nhello", "/chunklong": CHUNKED + b"5\r\nhelloX\r\n0\r\n\r\n",
    "/negative": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "/letters": b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\nxx",
    "/nocolon": b"HTTP/1.1 200 OK\r\nNo colon\r\nContent-Length: 2\r\n\r\nok",
    "/nul": b"HTTP/1.1 200 OK\r\nA: b\0c\r\nContent-Length: 2\r\n\r\nok",
    "/equal": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "/more": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
    "/noreason": b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", "/headchunked": CHUNKED,
    "/gzipnot": answer(b"not gzip at all, no", b"Content-Encoding: gzip\r\n"),
    "/gzipcrc": answer(GZIP[:-8] + b"\0" * 8, b"Content-Encoding: gzip\r\n"),
    "/gzipempty": answer(b"", b"Content-Encoding: gzip\r\n"),
    "/unknown": answer(b"xx", b"Content-Encoding: foo\r\n"), "/identity": answer(b"xx", b"Content-Encoding: identity\r\n"),
    "/gibibyte": b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n" + b"x" * 1000,
    # what turboget is stricter about
    "/headcut": b"HTTP/1.1 200 OK\r\nContent-Le", "/headcut2": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
    "/garbage": b"SSH-2.0-OpenSSH_9.2\r\n", "/http09": b"a body without a head\n",
    "/http2": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "/099": answer(status=b"099 Low"),
    "/1000": answer(status=b"1000 High"), "/lf": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "/lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "/both": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "/fold": b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\nContent-Length: 2\r\n\r\nok",
    "/mebibyte": b"HTTP/1.1 200 OK\r\n" + (b"X-F: " + b"y" * 993 + b"\r\n") * 1048 + b"Content-Length: 2\r\n\r\nok",
    "/gzipcut": answer(GZIP[:-10], b"Content-Encoding: gzip\r\n"),
    "/gziptail": answer(GZIP + b"trailing", b"Content-Encoding: gzip\r\n"),
    "/gziptwo": answer(GZIP + GZIP, b"Content-Encoding: gzip\r\n"), "/br": answer(b"xx", b"Content-Encoding: br\r\n"),
    "/101": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
}
STRICT = ["/headcut", "/headcut2", "/garbage", "/http09", "/http2", "/099", "/1000", "/lf", "/lengths", "/both", "/fold",
          "/mebibyte", "/101", "/gzipcut", "/gziptail", "/gziptwo", "/br"]


# ------------------------------------------------------------------ the server
class Server:
    def __init__(self):
        self.requests = []

    def behave(self, connection, number):
        while True:
            data = b""
            while b"\r\n\r\n" not in data:
                got = connection.recv(65536)
                if not got:
                    return
                data += got
            head, body = data.split(b"\r\n\r\n", 1)
            body = self.read_body(connection, head.lower(), body)
            self.requests.append((number, head, body))
            if not self.answer(connection, head, body):
                return

    @staticmethod
    def read_body(connection, head, body):
        if b"100-continue" in head:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if b"content-length:" in head:
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            while len(body) < length:
                body += connection.recv(65536)
        elif b"transfer-encoding: chunked" in head:
            while not body.endswith(b"0\r\n\r\n"):
                body += connection.recv(65536)
        return body

    @staticmethod
    def answer(connection, head, body):
        method, target = head.split(b" ")[:2]
        path = target.decode("latin1").split("?")[0]
        if path == "/silent":
            connection.recv(1)  # until the client has enough
            return False
        reply = answer(body) if path == "/echo" else KEPT.get(path) or ENDING.get(path)
        if reply is None:
            reply = answer(b"path " + path.encode() + b"\n")
        if method == b"HEAD" and b"\r\n\r\n" in reply:
            reply = reply[:reply.index(b"\r\n\r\n") + 4]
        connection.sendall(reply)
        return path not in ENDING


# ------------------------------------------------------------------ running both
def normal_request(number, head, body, first):
    """What counts of a request: order and blanks around values do not, nor who we are."""
    lines = []
    for line in head.split(b"\r\n")[1:]:
        name, value = line.split(b":", 1)
        value = value.strip()
        if name.lower() == b"user-agent" and value.startswith((b"curl/", b"turboget/")):
            value = b"us"
        if name.lower() == b"accept-encoding" and b"gzip" in value:
            value = b"gzip"
        lines.append(name + b": " + value)
    return number - first, head.split(b"\r\n")[0], sorted(lines, key=bytes.lower), body


class Result:
    def __init__(self, program, arguments, server, raw, stdin=b"", files=None):
        with tempfile.TemporaryDirectory() as folder:
            for name, data in (files or {}).items():
                (Path(folder) / name).write_bytes(data)
            server.requests.clear()
            first = raw.accepted
            environment = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
            got = subprocess.run([program, *arguments], cwd=folder, input=stdin, capture_output=True, timeout=60,
                                 env={**environment, "HOME": folder})
            self.code, self.error = got.returncode, got.stderr
            self.output = got.stdout.replace(str(raw.port).encode(), b"PORT")
            self.requests = [normal_request(*r, first) for r in server.requests]
            self.files = {p.name: p.read_bytes() for p in sorted(Path(folder).iterdir())}


def fill(arguments, port):
    return [a.replace("{U}", f"http://127.0.0.1:{port}").replace("{P}", str(port)) for a in arguments]


def compare(server, raw, arguments, **given):
    if not CURL:
        return
    filled = fill(arguments, raw.port)
    theirs, ours = Result(CURL, filled, server, raw, **given), Result(OURS, filled, server, raw, **given)
    for what in ("code", "output", "requests", "files"):
        a, b = getattr(theirs, what), getattr(ours, what)
        check(a == b, f"{' '.join(arguments)}: {what}", f"curl {a!r:.250}, turboget {b!r:.250}")
    is_told = bool(theirs.error) == bool(ours.error)
    check(is_told, f"{' '.join(arguments)}: both speak or neither", (theirs.error[:100], ours.error[:100]))


FORMAT = ("%{http_code}|%{response_code}|%{http_version}|%{http_connect}|%{num_connects}|%{num_redirects}|%{num_headers}|"
          "%{size_download}|%{size_upload}|%{size_header}|%{exitcode}|%{url}|%{url_effective}|%{urlnum}|%{redirect_url}|"
          "%{content_type}|%{method}|%{scheme}|%{remote_ip}|%{remote_port}|%{filename_effective}|%{time_redirect}|"
          "%{time_appconnect}|%{ssl_verify_result}\\n")
U, T = "{U}", "{U}/text"
SAME = [
    # heads, methods, data
    ["-s", T], ["-s", "-i", T], ["-si", "{U}/chunked"], ["-s", "-I", T], ["-s", "-I", "{U}/headchunked"], ["-sI", "{U}/404"],
    ["-sS", "-I", "-o", "f", T], ["-s", "-i", "-o", "f", T], ["-s", "-I", "-i", T], ["-s", "-I", "-X", "GET", T],
    ["-s", "-X", "PUT", "-d", "abc", "{U}/echo"], ["-s", "-X", "GET", "-d", "abc", "{U}/echo"], ["-s", "-XDELETE", T],
    ["-s", "-d", "a=1", "-d", "b=2", "{U}/echo"], ["-s", "-d", "", T], ["-s", "-d", "a", "-d", "", "{U}/echo"],
    ["-s", "-d", "", "-d", "a", "{U}/echo"], ["-s", "--data-ascii", "x", "{U}/echo"], ["-s", "--data", "x", "{U}/echo"],
    ["-s", "-dx", "{U}/echo"], ["-s", "-G", "-d", "q=1", "-d", "r=2", T], ["-s", "-G", "-d", "q=1", T + "?z"],
    ["-s", "-G", T], ["-s", "-G", "-d", "q=1", T + "#frag"], ["-s", "-G", "-d", "q=1", U], ["-s", "-G", "-I", "-d", "q", T],
    # headers
    ["-s", "-H", "X-A: 1", "-H", "X-B:2", "-H", "X-A: 3", T], ["-s", "-H", "User-Agent:", T], ["-s", "-H", "Accept:", T],
    ["-s", "-H", "Host: other", T], ["-s", "-H", "X-E;", T], ["-s", "-H", "X-E:", T], ["-s", "-H", "X-E: ", T],
    ["-s", "-H", "X-E;x", T], ["-s", "-H", "X-E; ", T], ["-s", "-H", "noseparator", T], ["-s", "-H", "", T],
    ["-s", "-H", "Accept: a", "-H", "accept: b", T], ["-s", "-H", "User-Agent: me", T], ["-s", "-A", "me", T],
    ["-s", "-A", "", T], ["-s", "-A", "me", "-H", "User-Agent: you", T], ["-s", "-H", "Accept;", T],
    ["-s", "-H", "Content-Type: x/y", "-d", "z", "{U}/echo"], ["-s", "-H", "Content-Type:", "-d", "z", "{U}/echo"],
    ["-s", "-H", "Content-Length: 5", "-d", "hello", "{U}/echo"], ["-s", "-H", "Content-Length: 0", "-X", "POST", T],
    ["-s", "-H", "Transfer-Encoding: chunked", "-d", "z", "{U}/chunkedecho"], ["-s", "-H", "Connection: close", T],
    ["-s", "-H", "Connection:", T], ["-s", "-H", "Expect: 100-continue", "-d", "z", "{U}/echo"],
    ["-s", "-H", "Expect:", "-d", "z", "{U}/echo"], ["-s", "-H", "Cookie: a=b", "-H", "Referer: r", T],
    ["-s", "-H", "X-Colon: a:b;c", T], ["-s", "-H", "Authorization: x", "http://u:p@127.0.0.1:{P}/text"],
    ["-s", "-H", "Accept-Encoding: gzip", "{U}/gzip", "-o", "f"],
    # outputs
    ["-s", "-o", "f", T], ["-s", "-of", T], ["-so", "f", T], ["-s", "--output", "f", T], ["-s", "-o", "-", T],
    ["-s", "-o", "a", "-o", "b", "{U}/1", "{U}/2"], ["-s", "-o", "a", "{U}/1", "{U}/2"], ["-s", "-o", "a", "-o", "b", T],
    ["-s", "-o", "d/f", T], ["-sS", "-o", "", T], ["-s", "-O", T], ["-s", "-O", "{U}/k/x.txt?q=1#f"], ["-sS", "-O", "{U}/"],
    ["-sS", "-O", U], ["-sS", "-O", "{U}/k/"], ["-s", "-O", "-O", "{U}/1", "{U}/2"], ["-s", "-O", "{U}/1", "{U}/2"],
    ["-s", "-O", "-o", "b", "{U}/1", "{U}/2"], ["-s", "-o", "b", "-O", "{U}/1", "{U}/2"],
    ["-s", "--remote-name-all", "{U}/1", "{U}/2"], ["-s", "-O", "{U}/k%20x"], ["-s", "-O", "{U}/404"],
    ["-s", "-f", "-O", "{U}/404"], ["-s", "-D", "h", T], ["-s", "-D", "-", T], ["-s", "-D", "h", T, T],
    ["-s", "-i", "-D", "h", T], ["-s", "-I", "-D", "h", T], ["-s", "-D", "h", "{U}/nothing"],
    ["-sS", "-o", "/no/dir/f", T], ["-sS", "-o", "/dev/full", T], ["-sS", "-o", "/dev/full", "{U}/big"],
    ["-sS", "-o", "/dev/full", "{U}/zero"], ["-sS", "-o", "/", T], ["-sS", "-i", "-o", "/dev/full", T],
    # -f, ranges, versions, codings
    ["-sf", "-o", "f", "{U}/404"], ["-sSf", "{U}/404"], ["-fsS", "{U}/500"], ["-f", "{U}/404", "-s"],
    ["-sf", "{U}/text", "{U}/404"], ["-sSf", "-i", "{U}/404"], ["-sSf", "-I", "{U}/404"], ["--fail", "-sS", "{U}/302"],
    ["-sf", "-D", "-", "{U}/404"], ["-sf", "-r", "5-9", "{U}/416"], ["-s", "-r", "5-9", "{U}/range"], ["-s", "-r", "5-9", T],
    ["-s", "-r", "5-", T], ["-s", "-r", "-5", T], ["-s", "-r", "0-1,3-4", T], ["-s", "-r", "abc", T],
    ["-s", "-r", "5-9", "-H", "Range: bytes=1-2", T], ["-s", "--http1.0", T, T], ["-s", "-0", T], ["-s", "--http1.1", T],
    ["-s", "--http1.0", "-d", "x", "{U}/echo"], ["-s", "--compressed", T], ["-s", "--compressed", "-i", "{U}/gzip"],
    ["-s", "--compressed", "-H", "Accept-Encoding: br", T], ["-s", "--compressed", "{U}/deflate"],
    ["-s", "--compressed", "-w", "%{size_download}", "-o", "f", "{U}/gzip"], ["-s", "--compressed", "{U}/gzipnot"],
    ["-s", "--compressed", "{U}/gzipcrc"], ["-s", "--compressed", "{U}/gzipempty"], ["-s", "--compressed", "{U}/unknown"],
    ["-s", "--compressed", "{U}/identity"],
    # where to
    *[["-sS", "--resolve", rule, url] for rule, url in (
        ("foo.test:{P}:127.0.0.1", "http://foo.test:{P}/text"),
        ("foo.test:{P}:[127.0.0.1]", "http://foo.test:{P}/text"),
        ("FOO.test:{P}:127.0.0.1", "http://foo.test:{P}/text"),
        ("foo.test:{P}:127.0.0.9,127.0.0.1", "http://foo.test:{P}/text"),
        ("foo.test:{P}:[::1],127.0.0.1", "http://foo.test:{P}/text"),
        ("*:{P}:127.0.0.1", "http://any.test:{P}/text"), ("+foo.test:{P}:127.0.0.1", "http://foo.test:{P}/text"),
        ("-foo.test:{P}", T), ("foo", T), ("foo:{P}", T), ("foo:x:127.0.0.1", T),
        ("foo:{P}:nonsense", "http://foo:{P}/text"), ("foo:{P}:", "http://foo:{P}/text"),
        ("foo:0:127.0.0.1", "http://foo.invalid:{P}/"), ("foo:70000:127.0.0.1", T),
        ("foo.test:1:127.0.0.1", "http://foo.test:{P}/text"),
        ("127.0.0.5:{P}:127.0.0.1", "http://127.0.0.5:{P}/text"))],
    *[["-sS", "--connect-to", rule, url] for rule, url in (
        ("a.test:80:127.0.0.1:{P}", "http://a.test/text"), ("A.test:80:127.0.0.1:{P}", "http://a.test/text"),
        ("::127.0.0.1:{P}", "http://a.test/text"), ("a.test::127.0.0.1:{P}", "http://a.test/text"),
        (":80:127.0.0.1:{P}", "http://a.test/text"), ("127.0.0.1:80::{P}", "http://127.0.0.1/text"),
        ("a.test:{P}:127.0.0.1:", "http://a.test:{P}/text"), ("a.test:{P}:127.0.0.1", "http://a.test:{P}/text"),
        ("b.test:80:127.0.0.1:{P}", T), ("[::1]:{P}:127.0.0.1:{P}", "http://[::1]:{P}/text"),
        ("a.test:80:[::1]:1", "http://a.test/text"), ("a", T), ("a:b:c:d", T), (":::", T), ("::127.0.0.1:99999", T))],
    ["-sS", "--resolve", "foo.test:{P}:127.0.0.1", "--resolve", "-foo.test:{P}", "http://foo.test:{P}/text"],
    ["-s", "--resolve", "a.test:{P}:127.0.0.1", "--resolve", "a.test:{P}:127.0.0.2", "http://a.test:{P}/text"],
    ["-s", "--connect-to", "x.test:80:127.0.0.1:1", "--connect-to", "a.test:80:127.0.0.1:{P}", "http://a.test/text"],
    ["-s", "--connect-to", "a.test:80:127.0.0.1:{P}", "--connect-to", "a.test:80:127.0.0.1:1", "http://a.test/text"],
    ["-s", "--connect-to", "a.test:80:b.test:{P}", "--resolve", "b.test:{P}:127.0.0.1", "http://a.test/text"],
    ["-sS", "--unix-socket", "/no/such", "http://x/"], ["-s", "--noproxy", "*", T], ["-s", "--noproxy", "", T],
    # limits
    ["-s", "-m5", T], ["-s", "--max-time", "5", T], ["-s", "--max-time=5", T], ["-sS", "-m", "1", "{U}/silent"],
    ["-s", "-m", "abc", T], ["-s", "-m", "", T], ["-s", "-m", "-1", T], ["-s", "-m", "0", T], ["-s", "-m", "1x", T],
    ["-s", "-m", "1e1", T], ["-s", "-m", "9.5", T], ["-s", "-m", "99999999999", T], ["-s", "-m", "inf", T], ["-s", "-m", "1,5", T],
    ["-s", "--connect-timeout", "3", T], ["-s", "--connect-timeout", "0", T], ["-s", "--connect-timeout", "x", T],
    ["-sS", "--max-filesize", "4999", "{U}/big"], ["-s", "--max-filesize", "5000", "{U}/big"],
    ["-s", "--max-filesize", "5000", "{U}/bigchunked"], ["-sS", "--max-filesize", "1000", "{U}/gibibyte"],
    ["-sS", "--max-filesize", "1k", "{U}/big"], ["-s", "--max-filesize", "5K", "{U}/big"], ["-s", "--max-filesize", "1M", "{U}/big"],
    ["-s", "--max-filesize", "1G", "{U}/big"], ["-s", "--max-filesize", "0", "{U}/big"], ["-sS", "--max-filesize", "x", T],
    ["-sS", "--max-filesize", "-5", T], ["-sS", "--max-filesize", "1.5", T], ["-sS", "--max-filesize", "", T],
    ["-sS", "--max-filesize", "99999999999999999999", T], ["-sS", "--max-filesize", "10", "-o", "f", "{U}/big"],
    # -w
    *[["-s", "-w", FORMAT, u] for u in (T, U, U + "?q", "{U}/a/../b", "127.0.0.1:{P}/text?q#f", "{U}/302", "{U}/cut", "{U}/close10",
                                        "{U}/nothing", "http://127.0.0.1:1/", "http://nope.invalid/", "http://127.0.0.1/ x")],
    ["-s", "-w", FORMAT, "-I", T], ["-s", "-w", FORMAT, "-d", "abc", "{U}/echo"], ["-s", "-w", FORMAT, "-o", "f", T, "{U}/chunked"],
    ["-s", "-w", "a\\nb\\tc\\rd\\\\e\\xf\\0%%g%h%{nope}i%{http_code", T], ["-s", "-w", "%", T], ["-s", "-w", "\\", T],
    ["-s", "-w", "%{", T], ["-s", "-w", "%{}", T], ["-s", "-w", "%{HTTP_CODE}", T], ["-s", "-w", "", T],
    ["-s", "-w", "%{stderr}x%{http_code}", T], ["-s", "-w", "x%{stderr}y%{stdout}z", T], ["-s", "-w", "%{onerror}bad", T],
    ["-s", "-w", "%{onerror}bad %{exitcode}", "{U}/cut"], ["-s", "-w", "%header{content-type} %header{no}|%header{x", "{U}/headers"],
    ["-s", "-w", "%%%%{http_code}%", T], ["-s", "-w", "%{errormsg}|%{exitcode}", T], ["-s", "-w", "A", "-w", "B", T],
    # URLs
    *[["-sS", u] for u in ("nosuch://x/", "ftp//x", "http://", "", "http://127.0.0.1:{P}/a b", "http://127.0.0.1:99999/",
                           "http://127.0.0.1:abc/", "http://127.0.0.1:{P}", "http://127.0.0.1:{P}?q=1", "http://127.0.0.1:{P}#f",
                           "127.0.0.1:{P}/text", "localhost:{P}/text", "HTTP://127.0.0.1:{P}/text", "//127.0.0.1:{P}/text",
                           "http:127.0.0.1:{P}/text", "http://[::1", "http://[::1]:1/", "http://user:pw@127.0.0.1:{P}/text",
                           "http://user@127.0.0.1:{P}/text", "http://u%3ax:p%40@127.0.0.1:{P}/text", "http://@127.0.0.1:{P}/text",
                           "http://a@b@127.0.0.1:{P}/text", "{U}/a/../b/./c", "{U}/a%2e%2e/b", "{U}/a?x=../y", "http://ex ample/",
                           "{U}/x\r\nA: b", "{U}/x\tb", "https://127.0.0.1:1/", "http://no-such-host.invalid/", "http://127.0.0.1:1/")],
    # arguments
    [], ["-sS"], ["-s", "--", T], ["-s", "--", "-x"], ["-s", "-"], ["-s", "--bogus", T], ["-s", "--include=1", T], ["-s", "-q", T],
    ["-qs", T], ["-gs", T], ["-s#", T], ["-s", "-N", T], ["-s", "--no-buffer", T], ["-s", "--no-include", T],
    ["-s", "-i", "--no-include", T], ["-s", "--compressed", "--no-compressed", T], ["-s", "-w"], ["-s", "-o"], ["-s", "--max-time"],
    ["-s", "--url", T], ["-s", "--url", T, "{U}/1"], ["-S", "http://127.0.0.1:1/"], ["-s", "http://127.0.0.1:1/"],
    # several
    ["-s", T, "{U}/1", "{U}/2", "-w", "%{num_connects} "], ["-sS", T, "{U}/cut", T, "-w", "%{exitcode} "], ["-sS", "{U}/cut", T],
    ["-sS", "http://127.0.0.1:1/", T],
    # everything the server can say
    *[["-sS", "{U}" + p] for p in (*KEPT, *ENDING) if p not in STRICT],
    *[["-sS", "-i", "{U}" + p] for p in KEPT],
    *[["-s", "-o", "f", "-w", "%{exitcode} %{size_download}", "{U}" + p] for p in ENDING if p not in (*STRICT, "/chunklong")],
]
FILES = [
    (["-s", "-d", "@f", "{U}/echo"], {"files": {"f": b"a\r\nb\nc"}}), (["-s", "-d", "@-", "{U}/echo"], {"stdin": b"in\r\nput\n"}),
    (["-s", "-d", "@f", "-d", "x", "{U}/echo"], {"files": {"f": b""}}),
    (["-s", "--data-binary", "@f", "{U}/echo"], {"files": {"f": b"a\r\nb\n\0c\r"}}),
    (["-s", "--data-binary", "@-", "{U}/echo"], {"stdin": b"a\r\nb\n\0c\r"}),
    (["-s", "--data-raw", "@f", "{U}/echo"], {"files": {"f": b"a"}}),
    (["-s", "-H", "@h", T], {"files": {"h": b"X-F: 1\nX-G: 2\r\n\nX-H;\nUser-Agent:\n"}}), (["-s", "-H", "@-", T], {"stdin": b"X-F: 1\n"}),
    (["-s", "-D", "h", T, T], {"files": {"h": b"old\n"}}), (["-s", "-o", "f", "{U}/zero"], {"files": {"f": b"old\n"}}),
    (["-s", "-w", "@w", T], {"files": {"w": b"file %{http_code}\\n\nnext\r\n"}}), (["-s", "-w", "@-", T], {"stdin": b"%{http_code}\\n"}),
]
# arguments → exit code, words of the message, or None for success
DIFFERENT = [
    (["-sS", "{U}/headcut"], 56, "inside the response head"), (["-sS", "{U}/headcut2"], 56, "inside the response head"),
    (["-sS", "{U}/garbage"], 8, "did not answer with HTTP"), (["-sS", "{U}/http09"], 8, "did not answer with HTTP"),
    (["-sS", "{U}/http2"], 8, "did not answer with HTTP"), (["-sS", "{U}/099"], 8, "status line"), (["-sS", "{U}/1000"], 8, "status line"),
    (["-sS", "{U}/lf"], 8, "line"), (["-sS", "{U}/lengths"], 8, "Content-Length"), (["-sS", "{U}/both"], 8, "Transfer-Encoding"),
    (["-sS", "{U}/fold"], 8, "header line"), (["-sS", "{U}/mebibyte"], 63, "limits.head_bytes"),
    (["-sS", "{U}/101"], 8, "switched protocols"), (["-sS", "--compressed", "{U}/gzipcut"], 61, "corrupt"),
    (["-sS", "--compressed", "{U}/gziptail"], 61, "corrupt"), (["-sS", "--compressed", "{U}/gziptwo"], 0, None),
    (["-sS", "--compressed", "{U}/br"], 61, "content coding"), (["-sS", "--max-filesize", "4999", "{U}/bigchunked"], 63, "--max-filesize"),
    (["-sS", "--max-filesize", "100", "--compressed", "{U}/gzip"], 63, "--max-filesize"),
    (["-sS", "-I", "-d", "x", T], 2, "-I and -d"), (["-sS", "-X", "PO ST", T], 2, "method"), (["-sS", "-H", "X N: 1", T], 2, "token"),
    (["-sS", "-H", "Content-Length: 3", "-d", "hello", T], 2, "Content-Length"), (["-sS", "-H", "TE: gzip", T], 2, "TE"),
    (["-sS", "-H", "Connection: x-foo", T], 2, "Connection"), (["-sS", "-d", "@nofile", T], 26, "nofile"),
    (["-sS", "-H", "@nofile", T], 26, "nofile"), (["-sS", "-w", "@nofile", T], 26, "nofile"), (["-sS", "{U}/a\\b"], 3, "malformed URL"),
    (["-sS", "{U}/\u00fc"], 3, "malformed URL"), (["-sS", "http://127.1:{P}/text"], 3, "host"), (["-sS", "http:/127.0.0.1:{P}/"], 3, "http://"),
    (["-sS", "-D", "/no/dir/f", T], 23, "/no/dir/f"), (["-sS", "-D", "/dev/full", "-o", "f", T], 23, "/dev/full"),
]


def differences(server, raw):
    for arguments, code, words in DIFFERENT:
        got = Result(OURS, fill(arguments, raw.port), server, raw)
        check(got.code == code, f"{' '.join(arguments)}: exit {code}", (got.code, got.error))
        check((words or "") in got.error.decode() and bool(words) == bool(got.error), f"{arguments} says {words}", got.error)


if not CURL:
    print("not compared: curl is not installed", file=sys.stderr)
service = Server()
with Raw(service.behave) as listener:
    for case in SAME:
        compare(service, listener, case)
    for case, more in FILES:
        compare(service, listener, case, **more)
    differences(service, listener)
finish()
