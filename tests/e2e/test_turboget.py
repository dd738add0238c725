"""turboget by itself: what a comparison with curl cannot show - standard streams that are closed or
full, -v, times, what a failure says, and that nothing of a URL's password is told."""
import os
import re
import subprocess
import threading
import time

from checks import ROOT, check, expect, finish, get
from servers import Raw, answer, free_port, read_head, reset

OURS = str(ROOT / "build" / os.environ.get("TURBOGET", "turboget"))


def serve(reply):
    def behave(connection, number):
        while read_head(connection):
            connection.sendall(reply)
    return Raw(behave)


def start(*arguments, **more):
    return subprocess.Popen([OURS, "-sS", *arguments], stderr=subprocess.PIPE, **more)


# ------------------------------------------------------------------ standard streams
def streams():
    with serve(answer(b"x" * 5_000_000)) as server:
        ours, theirs = os.pipe()
        process = start(server.url(), stdout=theirs)
        os.close(theirs)
        os.read(ours, 10)
        os.close(ours)
        said = process.communicate(timeout=30)[1]
        check(process.returncode == 23 and b"Broken pipe" in said, "a pipe nobody reads: exit 23", (process.returncode, said))
        for closed in ((1,), (0, 1), (0, 1, 2)):
            process = start(server.url(), preexec_fn=lambda closed=closed: [os.close(fd) for fd in closed])
            said = process.communicate(timeout=30)[1]
            check(process.returncode == 23, f"descriptors {closed} closed: exit 23", (process.returncode, said))
        with open("/dev/full", "wb") as full:
            process = start("-I", server.url(), stdout=full)
            said = process.communicate(timeout=30)[1]
            check(process.returncode == 23 and b"No space" in said, "-I to a full disk: exit 23", (process.returncode, said))


def closed_output_is_no_socket():
    """With descriptor 1 free, the connection would be it, and the body would go to the server."""
    seen = []

    def behave(connection, number):
        seen.append(read_head(connection))
        connection.sendall(answer(b"body"))
        seen.append(connection.recv(100))

    with Raw(behave) as server:
        process = start(server.url(), preexec_fn=lambda: os.close(1))
        process.communicate(timeout=30)
        server.settle()
        check(seen[1:] == [b""], "nothing but the request reaches the server", seen)


def output_comes_at_once():
    def behave(connection, number):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        connection.recv(1)  # until the client goes

    with Raw(behave) as server:
        process = start("-N", "-m", "20", server.url(), stdout=subprocess.PIPE)
        check(process.stdout.read(2) == b"ab", "what came is written before more comes")
        process.kill()
        process.communicate()


# ------------------------------------------------------------------ -v
def verbose():
    heads = []

    def behave(connection, number):
        while True:
            head = read_head(connection)
            if not head:
                return
            heads.append(head.split(b"\r\n\r\n")[0])
            connection.sendall(b"HTTP/1.1 200 Fine\r\nX-One: 1\r\nContent-Length: 2\r\n\r\nok")

    cases = [[], ["-d", "a=b"], ["-H", "X-A: b", "-H", "Accept:", "-A", ""], ["--compressed", "--http1.0"], ["-X", "PUT"],
             ["-I"], ["-H", "Host: other", "-r", "1-2"], ["-H", "Transfer-Encoding: chunked", "-d", "xyz"],
             ["-H", "Connection: close"], ["-H", "Content-Type;", "-d", "z"], ["-G", "-d", "q=1"], ["-H", "Expect: 100-continue", "-d", "z"]]
    for arguments in cases:
        with Raw(behave) as server:
            heads.clear()
            said = get("-v", *arguments, "-o", "/dev/null", server.url("/a/../b?c#d")).stderr.decode()
            lines = [line[2:] for line in said.splitlines() if line.startswith("> ")]
            sent = heads[0].decode().split("\r\n") if heads else None
            check(lines == sent, f"-v {arguments} shows what was sent", (lines, sent))
            check("< HTTP/1.1 200 Fine" in said and "< X-One: 1" in said, "-v shows the answer's head", said)
            check(f"* new connection to 127.0.0.1 port {server.port}" in said, "-v names the server", said)
    with serve(answer()) as server:
        said = get("-v", server.url(), server.url()).stderr.decode()
        check("* kept connection to" in said, "-v tells of a kept connection", said)


# ------------------------------------------------------------------ -w
def times():
    is_told = threading.Event()  # of the first bytes

    def behave(connection, number):
        read_head(connection)
        time.sleep(0.3)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        is_told.wait(30)
        time.sleep(0.3)
        connection.sendall(b"cd")

    names = ["time_namelookup", "time_connect", "time_appconnect", "time_pretransfer", "time_starttransfer", "time_total"]
    with Raw(behave) as server:
        process = start("-N", "-w", " ".join("%{" + n + "}" for n in names), server.url(), stdout=subprocess.PIPE)
        check(process.stdout.read(2) == b"ab", "the first bytes come at once")
        is_told.set()
        said = process.communicate(timeout=30)[0].decode().removeprefix("cd")
        check(re.fullmatch(r"(\d+\.\d{6} ?){6}", said), "times are seconds with six digits", said)
        name, connect, tls, ready, first, total = map(float, said.split())
        check(name <= connect <= ready <= first <= total and tls == 0, "times grow", said)
        check(ready + 0.1 < first and first + 0.1 < total, "the first byte and the end are told apart", said)


# ------------------------------------------------------------------ failures
def failures_name_phase_and_remedy():
    def cut(connection, number):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")

    def broken(connection, number):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n")

    def late_reset(connection, number):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        time.sleep(0.1)
        reset(connection)

    for behave, code, phase, remedy in ((cut, 18, "body", "try again"), (broken, 8, "head", "tell its owner"),
                                        (late_reset, 56, "body", "try again")):
        with Raw(behave) as server:
            expect(code, server.url(), says=f"[phase {phase}]")
            expect(code, server.url(), says=remedy)
    expect(7, f"http://127.0.0.1:{free_port()}/", says="[phase connect]")
    expect(6, "http://no-such-name.invalid/", says="[phase resolve]")
    with Raw(lambda connection, number: connection.recv(1 << 20) and time.sleep(3)) as server:
        expect(28, "-m", "0.2", server.url(), says="(-m, --connect-timeout)")


def secrets_stay_secret():
    """S-17: a password in a URL is sent, and told to nobody else."""
    heads = []

    def behave(connection, number):
        heads.append(read_head(connection))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")

    with Raw(behave) as server:
        result = get("-w", "%{errormsg}", f"http://me:hunter2@127.0.0.1:{server.port}/")
        check(b"Authorization: Basic bWU6aHVudGVyMg==" in heads[0], "user and password are sent", heads[0])
        check(result.returncode == 18 and b"hunter2" not in result.stderr + result.stdout, "and not told", result.stderr)
    for url in ("http://me:hunter2@127.0.0.1:1/", "http://me:hunter2@no-such-name.invalid/", "http://me:hunter2@127.0.0.1:99999/",
                "http://me:hunter2@/", "ftp://me:hunter2@x/", "http://me:hunter2@a b/"):
        result = get(url)
        check(result.returncode != 0 and result.stderr and b"hunter2" not in result.stderr, f"{url}: not told", result.stderr)


def every_failure_is_heard():
    """Several URLs: each is tried, each failure is told, and the last one's code is the exit code."""
    with serve(answer(b"fine\n")) as server:
        bad = f"http://127.0.0.1:{free_port()}/"
        result = get(server.url(), bad, server.url(), "-w", "%{exitcode};")
        check(result.stdout == b"fine\n0;7;fine\n0;" and result.returncode == 0, "the others go on", result)
        check(result.stderr.count(b"(7)") == 1, "the failure is told once", result.stderr)
        result = get(server.url(), bad)
        check(result.returncode == 7, "the last one's code", result.returncode)


for part in (streams, closed_output_is_no_socket, output_comes_at_once, verbose, times, failures_name_phase_and_remedy,
             secrets_stay_secret, every_failure_is_heard):
    part()
finish()
