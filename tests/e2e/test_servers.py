"""nginx and Apache: what every real server does, through build/turboget."""
import gzip
import os
import random
import tempfile
from pathlib import Path

from checks import ROOT, check, expect, finish, get, run
from servers import Apache, Nginx

random.seed(7)
TEXT = b"".join(b"line %d of a text that compresses\n" % i for i in range(20000))
NOISE = random.randbytes(3_000_000)


def common(server, name):
    small, text, noise = (server.file(n, d) for n, d in
                          [("small.txt", b"hello\n"), ("text.txt", TEXT), ("noise.bin", NOISE)])
    server.file("zero", b"")
    expect(0, server.url("/small.txt"), body=small)
    expect(0, server.url("/text.txt"), body=text)
    expect(0, server.url("/noise.bin"), body=noise)
    expect(0, server.url("/zero"), body=b"")
    expect(0, "--compressed", server.url("/gzip/text.txt"), body=text)
    expect(0, "--http1.0", server.url("/small.txt"), body=small)
    expect(0, "--http1.0", "--compressed", server.url("/gzip/text.txt"), body=text)
    raw = get("-H", "Accept-Encoding: gzip", server.url("/gzip/text.txt")).stdout
    check(gzip.decompress(raw) == text, f"{name}: a coding asked for by hand is handed out as it is")
    expect(0, "-r", "5-9", server.url("/text.txt"), body=text[5:10])
    expect(22, "-f", server.url("/missing"), says="404")
    head = expect(0, "-I", server.url("/small.txt")).stdout
    check(head.startswith(b"HTTP/1.1 200 OK\r\n") and b"Content-Length: 6\r\n" in head, "-I shows the head", head)
    both = expect(0, "-i", server.url("/small.txt")).stdout
    check(both.endswith(b"\r\n\r\nhello\n"), "-i shows head and body", both)
    said = expect(0, "-w", "%{http_code} %{num_connects} %{size_download};", "-o", os.devnull, "-o", os.devnull,
                  server.url("/small.txt"), server.url("/text.txt")).stdout.decode()
    check(said == f"200 1 6;200 0 {len(text)};", f"{name}: the connection is kept", said)


def files(server):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        expect(0, "-o", out, server.url("/noise.bin"))
        check(out.read_bytes() == NOISE, "-o writes the body")
        expect(0, "-O", server.url("/small.txt"), cwd=folder)
        check((Path(folder) / "small.txt").read_bytes() == b"hello\n", "-O uses the URL's last part")
        expect(0, "-o", out, server.url("/zero"))
        check(out.exists() and out.read_bytes() == b"", "an empty body makes an empty file")
        expect(23, "-o", folder + "/no/such/folder", server.url("/small.txt"), says="cannot write")
        result = run("05_download", server.url("/noise.bin"), out)
        check(result.returncode == 0 and out.read_bytes() == NOISE, "the download example", result.stdout)
    if os.path.exists("/dev/full"):
        expect(23, "-o", "/dev/full", server.url("/noise.bin"), says="No space left")


def nginx_only(server):
    expect(0, "-d", "a=b", "-d", "c", server.url("/echo"), body=b"a=b&c")
    expect(0, "--data-binary", "@" + str(server.root / "noise.bin"), server.url("/echo"), body=NOISE)
    expect(0, "-X", "PUT", "-H", "Transfer-Encoding: chunked", "-d", "piece", server.url("/echo"), body=b"piece")
    expect(0, "-H", "Expect: 100-continue", "-d", "waited", server.url("/echo"), body=b"waited")
    expect(0, "--unix-socket", server.socket, "http://any.name/small.txt", body=b"hello\n")
    expect(0, server.url("/empty"), body=b"")
    expect(0, "-w", "%{http_code}", "-o", os.devnull, server.url("/redirect"), body=b"302")
    said = expect(0, "-w", "%{num_connects},", "-o", os.devnull, "-o", os.devnull,
                  server.url("/close/small.txt"), server.url("/close/small.txt")).stdout
    check(said == b"1,1,", "a connection that the server closes is not used again", said)
    expect(0, "--resolve", f"my.name:{server.port}:127.0.0.1", f"http://my.name:{server.port}/small.txt", body=b"hello\n")
    expect(0, "--connect-to", f"other.name:80:127.0.0.1:{server.port}", "http://other.name/small.txt", body=b"hello\n")
    expect(0, f"http://localhost:{server.port}/small.txt", body=b"hello\n")
    expect(0, "-G", "-d", "x=1", server.url("/small.txt"), body=b"hello\n")
    result = run("01_get", server.url("/small.txt"))
    check(result.returncode == 0 and result.stdout == b"hello\n\n", "the five-line example", result.stdout)
    result = run("03_post_and_reuse", server.url("/echo"))
    check(result.returncode == 0 and b"kept connection" in result.stdout and result.stdout.count(b'"points":4200') == 2,
          "post and reuse", result.stdout)
    result = run("04_own_transport")
    check(result.returncode == 0 and b"hello modem!" in result.stdout, "own transport", result.stdout)


with Nginx() as server:
    common(server, "nginx")
    files(server)
    nginx_only(server)
with Apache() as server:
    common(server, "apache")
finish()
