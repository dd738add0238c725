"""The game loop: 20 requests in flight, one host that never answers, one name that does not resolve,
one server that drips; no call of turbohttp_poll takes as long as a frame can spare (2 ms).

The machine that runs tests may be busy: what is checked is that the best of a few runs stays below,
so that a stall of our own, which would be in every run, fails, and a neighbour's does not."""
import re
import time

from certificates import Certificates
from checks import check, finish, run
from servers import Raw, read_head, silent_host
from tls_servers import SecureNginx


def drip(connection, number):
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    for _ in range(10):
        connection.sendall(b"x")
        time.sleep(1)


def play(url, limit_us, what, *arguments):
    longest = []
    for _ in range(3):
        result = run("02_game_loop", url, f"http://127.0.0.1:{port}/", slow.url(), 230, *arguments)
        text = result.stdout.decode()
        check(result.returncode == 0, f"{what}: 17 requests succeed", text + result.stderr.decode())
        check("20 of 20 requests finished, 17 with success" in text, f"{what}: the other three end with an error", text)
        longest.append(int(re.search(r"longest call: (\d+) us", text).group(1)))
        if longest[-1] < limit_us:
            break
    check(min(longest) < limit_us, f"{what}: the longest poll stays below {limit_us} us", longest)


port, held = silent_host()
with Certificates() as certificates, Raw(drip) as slow:
    authority = certificates.authority("Authority")
    leaf = certificates.issue("localhost", authority, names=("DNS:localhost",))
    with SecureNginx(leaf, servers=[("localhost", "")]) as server:
        server.file("page", b"x" * 20000)
        play(server.url("/page"), 2000, "http")
        # Six handshakes at once, each of five public-key operations of about half a millisecond: a
        # poll that did not slice them would take several times this.
        play(server.secure("/page", host="localhost"), 4000, "https", authority.path)
finish()
