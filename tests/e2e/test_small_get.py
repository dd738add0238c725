"""The GET of examples/10: the codecs alone read every framing, and what is cut short is no success."""
from checks import check, finish, run
from servers import Raw, read_head, reset

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWERS = [  # what the server sends before it closes → exit code, output
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 0, b"hello"),
    (b"HTTP/1.1 200 OK\r\n\r\nhello", 0, b"hello"),
    (b"HTTP/1.1 204 No Content\r\n\r\n", 0, b""),
    (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 0, b"hi"),
    (CHUNKED + b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n", 0, b"hello world"),
    (CHUNKED + b"2000\r\n" + b"x" * 8192 + b"\r\n0\r\n\r\n", 0, b"x" * 8192),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + b"y" * 10000 + b"z", 0, b"y" * 10000),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", 1, b"hello"),
    (CHUNKED + b"5\r\nhello\r\n", 1, b"hello"),
    (CHUNKED + b"5\r\nhelloX", 1, b"hello"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 1, b""),
    (b"HTTP/1.1 200 OK\r\nContent-Le", 1, b""),
    (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 5000 + b"\r\n\r\n", 1, b""),
    (b"SSH-2.0-OpenSSH_9.2\r\n", 1, b""),
    (b"", 1, b""),
]

for sent, code, output in ANSWERS:
    for step in (len(sent), 1) if len(sent) < 200 else (len(sent), 999):
        def behave(connection, number, sent=sent, step=step):
            head = read_head(connection)
            check(head is None or head.startswith(b"GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:"), "the request", head)
            for at in range(0, len(sent), step or 1):
                connection.sendall(sent[at:at + step])
        with Raw(behave) as server:
            result = run("10_small_get", server.url("/a?b"))
            check(result.returncode == code and result.stdout == output, f"{sent[:60]!r} in steps of {step}", result)

def broken(connection, number):
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")
    reset(connection)


with Raw(broken) as server:
    check(run("10_small_get", server.url("/")).returncode == 1, "a reset is not the end of a body")
for url in ("https://localhost/", "http://user@localhost/", "http://a b/", "localhost", "http://localhost:99999/"):
    check(run("10_small_get", url).returncode == 1, f"{url} is refused")
check(run("10_small_get", "http://127.0.0.1:1/").returncode == 1, "nobody listens")
finish()
