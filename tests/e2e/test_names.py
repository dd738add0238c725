"""Names: the stub resolver against dnsmasq and against name servers that misbehave on purpose, the
platform's resolver, and the race of addresses (D2, D3, S-74, S-75)."""
import os
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from checks import ROOT, check, finish, run
from servers import Process, Raw, answer, free_port, read_head, silent_host

A, CNAME, AAAA = 1, 5, 28
EMPTY = tempfile.NamedTemporaryFile("w", suffix=".conf")


# ------------------------------------------------------------------ a name server of our own
def pack_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def record(name, kind, data, ttl=60):
    owner = name if isinstance(name, bytes) else pack_name(name)
    return owner + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


def address(text, name=b"\xc0\x0c", ttl=60):
    family, kind = (socket.AF_INET6, AAAA) if ":" in text else (socket.AF_INET, A)
    return record(name, kind, socket.inet_pton(family, text), ttl)


class Question:
    def __init__(self, data):
        self.data, self.id = data, data[:2]
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode())
            at += data[at] + 1
        self.asked = ".".join(labels)
        self.name = self.asked.lower()
        self.kind = struct.unpack(">H", data[at + 1:at + 3])[0]
        self.section = data[12:at + 5]
        self.has_edns = data[11] == 1

    def reply(self, *records, code=0, flags=0x8180, id=None, section=None):
        return ((id or self.id) + struct.pack(">HHHHH", flags | code, 1, len(records), 0, 0)
                + (section or self.section) + b"".join(records))


class NameServer:
    """Answers over UDP with what `answer_udp(server, question, client)` sends or returns, over TCP
    with what `answer_tcp(connection, question)` returns."""

    def __init__(self, answer_udp=None, answer_tcp=None, host="127.0.0.1"):
        self.answer_udp, self.answer_tcp, self.questions, self.streams = answer_udp, answer_tcp, [], 0
        self.clients = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.host, self.port = host, free_port()
        self.socket.bind((host, self.port))
        self.listener = None
        if answer_tcp:
            self.listener = socket.socket()
            self.listener.bind((host, self.port))
            self.listener.listen(8)

    def __enter__(self):
        self.is_open = True
        threading.Thread(target=self.serve, daemon=True).start()
        if self.listener:
            threading.Thread(target=self.serve_tcp, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.is_open = False
        self.socket.close()
        if self.listener:
            self.listener.close()

    def __str__(self):
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def serve(self):
        while self.is_open:
            try:
                data, client = self.socket.recvfrom(4096)
            except OSError:
                return
            question = Question(data)
            self.questions.append(question)
            self.clients.append(client)
            reply = self.answer_udp(self, question, client) if self.answer_udp else None
            if reply:
                self.send(reply, client)

    def send(self, data, client):
        try:
            self.socket.sendto(data, client)
        except OSError:
            pass

    def later(self, seconds, data, client):
        threading.Timer(seconds, self.send, (data, client)).start()

    def serve_tcp(self):
        while self.is_open:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.streams += 1
            with connection:
                try:
                    data = connection.recv(4096)
                    self.send_pieces(connection, self.answer_tcp(connection, Question(data[2:])))
                except OSError:
                    pass

    @staticmethod
    def send_pieces(connection, reply):
        if not reply:
            return
        reply = struct.pack(">H", len(reply)) + reply
        for piece in (reply[:1], reply[1:5], reply[5:]):
            connection.sendall(piece)
            time.sleep(0.01)


def web(body=b"ok"):
    def behave(connection, number):
        while read_head(connection):
            connection.sendall(answer(body))
    return behave


# ------------------------------------------------------------------ the program
def resolve(*urls, servers=None, program="resolve", **options):
    arguments = ["--resolv-conf", EMPTY.name, "--hosts", EMPTY.name]
    if servers is not None:
        arguments += ["--servers", " ".join(map(str, servers if isinstance(servers, (list, tuple)) else [servers]))]
    for key, value in options.items():
        arguments += ["--" + key.replace("_", "-")] + ([str(value)] if value is not True else [])
    result = run(program, *arguments, *urls)
    check(result.returncode == 0, f"no descriptor is left after {urls}", (result.returncode, result.stderr))
    return [line.split(" ", 5) for line in result.stdout.decode().splitlines()]


def quickest(limit_ms, *urls, **options):
    """The first line of one of a few tries that stays below the limit: what a busy machine delays now and
    then does not matter, what is delayed each time does."""
    for _ in range(5):
        line = resolve(*urls, **options)[0]
        if int(line[4]) < limit_ms:
            break
    return line


def eventually(condition):
    """What was sent may not have been read yet."""
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def expect_address(line, host, what):
    check(line[1] == "200" and line[2] == host, what, line)


def expect_error(line, code, what):
    check(line[1] == "error" and line[2] == str(code) and line[3] == "resolve", what, line)


NOT_FOUND, TEMPORARY, TIMEOUT, BAD_HOST = -100, -101, -107, -22


def v4_only(question, host="127.0.0.1"):
    return question.reply(address(host)) if question.kind == A else question.reply()


# ------------------------------------------------------------------ the tests
class Dnsmasq(Process):
    def command(self):
        return ["dnsmasq", "--no-daemon", "--conf-file=/dev/null", f"--port={self.port}", "--no-resolv",
                "--no-hosts", "--listen-address=127.0.0.1", "--bind-interfaces", "--user=root",
                "--pid-file=", "--local=/test/", "--host-record=both.test,127.0.0.1,::1",
                "--host-record=v4.test,127.0.0.1", "--host-record=v6.test,::1",
                "--cname=alias.test,both.test", "--cname=one.test,two.test", "--cname=two.test,v4.test",
                "--txt-record=text.test,hello", "--host-record=host.sub.test,127.0.0.1"]


def real_server():
    with Dnsmasq() as names, Raw(web()) as http:
        at = f"127.0.0.1:{names.port}"
        lines = resolve(*[f"http://{host}:{http.port}/" for host in
                          ["both.test", "v4.test", "alias.test", "one.test", "BOTH.Test", "v4.test.",
                           "missing.test", "text.test", "v6.test", "refused.example"]], servers=at)
        for line in lines[:6]:
            expect_address(line, "127.0.0.1", "an address from dnsmasq")
        expect_error(lines[6], NOT_FOUND, "a name that does not exist")
        expect_error(lines[7], NOT_FOUND, "a name without addresses")
        check(lines[8][2] == "-102", "an IPv6 address is used", lines[8])
        expect_error(lines[9], TEMPORARY, "a name that the server refuses to answer for")
        conf = names.folder / "resolv.conf"
        conf.write_text("garbage \0\1\2\nnameserver\nnameserver not-an-address\nnameserver fe80::1%eth9\n"
                        "search . bad..name elsewhere.test sub.test\noptions ndots:x timeout: attempts:9999 nonsense\n"
                        + "# " + "x" * 5000 + " nameserver 192.0.2.1\n; comment\n")
        line, = resolve(f"http://host:{http.port}/", servers=at, resolv_conf=conf)
        expect_address(line, "127.0.0.1", "the search list is gone through")


def search_order():
    def run_with(text, name):
        with NameServer(lambda server, question, _: question.reply(code=3)) as names:
            conf = tempfile.NamedTemporaryFile("w", suffix=".conf")
            conf.write(text)
            conf.flush()
            line = resolve(f"http://{name}/", servers=names, resolv_conf=conf.name)[0]
            expect_error(line, NOT_FOUND, f"{name} with {text!r}")
            return [q.name for q in names.questions if q.kind == A]

    text = "domain ignored.test\nsearch a.test b.test.\n"
    check(run_with(text, "x") == ["x.a.test", "x.b.test", "x"], "a short name: as it is at the end")
    check(run_with(text, "x.y") == ["x.y", "x.y.a.test", "x.y.b.test"], "a name with a dot: as it is first")
    check(run_with(text + "options ndots:2", "x.y") == ["x.y.a.test", "x.y.b.test", "x.y"], "ndots counts")
    check(run_with("search " + " ".join(f"d{i}.test" for i in range(9)), "x")
          == [f"x.d{i}.test" for i in range(6)] + ["x"], "six domains at most")
    check(run_with("", "x") == ["x"], "no search list")
    long = "a" * 60
    check(run_with(f"search {long}.{long}.{long}.test", f"{long}.{long}")
          == [f"{long}.{long}"], "names that grow too long are left out")


def hosts_file():
    with Raw(web()) as http, tempfile.NamedTemporaryFile("w", suffix=".hosts") as hosts:
        hosts.write("# comment 192.0.2.9 fun\n127.0.0.1 Fun alias.game # 192.0.2.1 nothere\n::1\tfun\n"
                    "not-an-address other\n127.0.0.1 other\n\n127.0.0.1" + " filler" * 1000 + "\n127.0.0.1 last.game")
        hosts.flush()
        with NameServer(lambda server, question, _: question.reply(code=3)) as names:
            lines = resolve(*[f"http://{host}:{http.port}/" for host in
                              ["fun", "FUN.", "alias.game", "other", "last.game", "filler", "nothere"]],
                            servers=names, hosts=hosts.name)
            for line in lines[:-1]:
                expect_address(line, "127.0.0.1", "a name from the hosts file")
            expect_error(lines[-1], NOT_FOUND, "a name in a comment")
            check({q.name for q in names.questions} == {"nothere"}, "names in hosts are not asked for")


def questions():
    """S-74: what is asked is not guessable, and each question has a socket of its own."""
    with NameServer(lambda server, question, _: question.reply(code=3)) as names:
        resolve(*[f"http://some-name-{i}.example/" for i in range(20)], servers=names)
        check(len({q.id for q in names.questions}) > 30, "ids are random", len({q.id for q in names.questions}))
        check(len({c[1] for c in names.clients}) > 30, "ports differ", len({c[1] for c in names.clients}))
        check(len({"".join("x" if c.isupper() else "." for c in q.asked) for q in names.questions}) > 30,
              "the case of the letters is random")
        check({q.kind for q in names.questions} == {A, AAAA}, "both families are asked for")
        check(all(q.has_edns for q in names.questions), "EDNS0 is announced")
    check(resolve("http://x.example/", servers="127.0.0.1:1", no_random=True)[0][2] == "-108", "no entropy, no query")


def aliases():
    chain = [record(b"\xc0\x0c", CNAME, pack_name("B.test")), record("b.test", CNAME, pack_name("c.test")),
             address("127.0.0.1", pack_name("C.TEST"))]
    replies = {"in-order.test": chain, "backwards.test": chain[::-1], "dangling.test": chain[:2],
               "loop.test": [record(b"\xc0\x0c", CNAME, pack_name("loop.test"))]}

    def behave(server, question, _):
        return question.reply(*replies[question.name]) if question.kind == A else question.reply()

    with NameServer(behave) as names, Raw(web()) as http:
        lines = resolve(*[f"http://{name}:{http.port}/" for name in replies], servers=names)
        expect_address(lines[0], "127.0.0.1", "a chain of aliases")
        expect_address(lines[1], "127.0.0.1", "a chain of aliases, backwards")
        expect_error(lines[2], NOT_FOUND, "a chain that ends nowhere")
        expect_error(lines[3], TEMPORARY, "a chain that goes round")


def streams():
    def truncated(server, question, _):
        return question.reply(flags=0x8380)

    many = [address(f"127.0.0.{i}") for i in range(1, 60)]
    with NameServer(truncated, lambda c, q: q.reply(*many) if q.kind == A else q.reply()) as names, Raw(web()) as http:
        expect_address(resolve(f"http://big.test:{http.port}/", servers=names)[0], "127.0.0.1", "truncated: TCP")
        check(names.streams == 2, "one stream for each family", names.streams)
    with NameServer(truncated) as names:
        expect_error(resolve("http://big.test/", servers=names)[0], TEMPORARY, "truncated, and TCP is refused")
    with NameServer(truncated, lambda c, q: None) as names:
        expect_error(resolve("http://big.test/", servers=names)[0], TEMPORARY, "TCP is closed without an answer")
    with NameServer(truncated, lambda c, q: q.reply(flags=0x8380)) as names:
        expect_error(resolve("http://big.test/", servers=names)[0], TEMPORARY, "truncated over TCP too")
    with NameServer(truncated, lambda c, q: q.reply(*many * 5)) as names:
        expect_error(resolve("http://big.test/", servers=names)[0], TEMPORARY, "larger than we take")
    with NameServer(truncated, lambda c, q: time.sleep(1)) as names:
        expect_error(resolve("http://big.test/", servers=names, attempt_ms=50)[0], TEMPORARY, "TCP is silent")


def slow_and_silent():
    def slow(server, question, client):
        if len(server.questions) <= 2:  # the retry is not answered
            server.later(1.5, v4_only(question), client)

    with NameServer(slow) as names, Raw(web()) as http:
        line = resolve(f"http://slow.test:{http.port}/", servers=names)[0]
        expect_address(line, "127.0.0.1", "a server that takes 1.5 s is heard after the retry at 1 s")
        check(int(line[4]) > 1400 and eventually(lambda: len(names.questions) == 4), "and its first answer counts", line)
    with NameServer() as silent, NameServer(lambda s, q, c: v4_only(q)) as names, Raw(web()) as http:
        line = resolve(f"http://a.test:{http.port}/", servers=[silent, names], attempt_ms=200)[0]
        check(eventually(lambda: len(silent.questions) == 2), "one try at the silent one", len(silent.questions))
        line = quickest(1000, f"http://a.test:{http.port}/", servers=[silent, names], attempt_ms=200)
        expect_address(line, "127.0.0.1", "the second server is asked")
        check(180 < int(line[4]) < 1000, "after attempt_ms", line)
        dead = f"127.0.0.1:{free_port()}"
        line = quickest(900, f"http://a.test:{http.port}/", servers=[dead, names])
        expect_address(line, "127.0.0.1", "nobody listens at the first server")
        check(int(line[4]) < 900, "which is noticed at once", line)
    with NameServer() as silent:
        line = resolve("http://a.test/", servers=silent, attempt_ms=100, attempts=3)[0]
        expect_error(line, TEMPORARY, "nobody answers")
        check(eventually(lambda: len(silent.questions) == 6), "attempts are counted", len(silent.questions))
        line = resolve("http://a.test/", servers=silent, resolve_ms=150)[0]
        expect_error(line, TIMEOUT, "a time limit ends the look-up")
    for code, what in ((2, "SERVFAIL"), (5, "REFUSED")):
        with NameServer(lambda s, q, c: q.reply(code=code)) as bad, NameServer(lambda s, q, c: v4_only(q)) as names, \
                Raw(web()) as http:
            line = quickest(900, f"http://a.test:{http.port}/", servers=[bad, names])
            expect_address(line, "127.0.0.1", f"{what}: the next server")
            check(int(line[4]) < 900, f"{what}: at once", line)
            expect_error(resolve("http://a.test/", servers=bad)[0], TEMPORARY, f"{what} from all")


def families():
    def only(kind, code=0, delay=None):
        def behave(server, question, client):
            good = question.reply(address("127.0.0.1")) if kind == A else question.reply(address("::1"))
            if question.kind == kind:
                return good
            if delay is None:
                return None
            server.later(delay, question.reply(code=code), client)
        return behave

    with Raw(web()) as http:
        for behave, most, what in ((only(A), 900, "the other family is silent"),
                                   (only(A, 3, 0.02), 900, "NXDOMAIN from one family does not decide"),
                                   (only(A, 0, 0.02), 900, "one family has no data")):
            with NameServer(behave) as names:
                line = quickest(most, f"http://a.test:{http.port}/", servers=names)
                expect_address(line, "127.0.0.1", what)
                check(int(line[4]) < most, f"{what}: soon", line)

    def negative_then_late(server, question, client):
        if question.kind == AAAA:
            return question.reply(code=3)
        server.later(0.3, v4_only(question), client)

    with Raw(web()) as http, NameServer(negative_then_late) as names:
        expect_address(resolve(f"http://a.test:{http.port}/", servers=names)[0], "127.0.0.1",
                       "no such name for IPv6, and a late address for IPv4")
    for first, second in ((3, 3), (0, 0), (3, 0)):
        with NameServer(lambda s, q, c: q.reply(code=first if q.kind == A else second)) as names:
            expect_error(resolve("http://a.test/", servers=names)[0], NOT_FOUND, f"codes {first} and {second}")


def forgeries():
    """S-74: forged answers before the true one lead nowhere."""
    evil = [address("127.0.0.66")]

    def wrong_id(q):
        return q.reply(*evil, id=bytes([q.id[0] ^ 1, q.id[1]]))

    def wrong_case(q):
        return q.reply(*evil, section=q.section.swapcase()[:-4] + q.section[-4:])

    def wrong_type(q):
        return q.reply(*evil, section=q.section[:-4] + b"\0\x10\0\1")

    def wrong_class(q):
        return q.reply(*evil, section=q.section[:-2] + b"\0\3")

    def wrong_name(q):
        return q.reply(*evil, section=pack_name("evil.test") + q.section[-4:])

    def a_question(q):
        return q.reply(*evil, flags=0x0180)

    def cut(q):
        return q.reply(*evil)[:-1]

    def pointer_loop(q):
        return q.reply(record(bytes([0xc0, 12 + len(q.section)]), A, b"\x7f\0\0\x42"))

    def garbage(q):
        return b"\xff" * 600

    def empty(q):
        return b"\0"

    forged = [wrong_id, wrong_case, wrong_type, wrong_class, wrong_name, a_question, cut, pointer_loop, garbage, empty]
    with Raw(web()) as http:
        for make in forged:
            def behave(server, question, client, make=make):
                for _ in range(20):
                    server.send(make(question), client)
                return v4_only(question)
            with NameServer(behave) as names:
                expect_address(resolve(f"http://a.test:{http.port}/", servers=names)[0], "127.0.0.1",
                               f"20 forgeries of the kind {make.__name__} before the answer")

        def other_port(server, question, client):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.sendto(question.reply(*evil), client)
            time.sleep(0.05)
            return v4_only(question)

        with NameServer(other_port) as names:
            expect_address(resolve(f"http://a.test:{http.port}/", servers=names)[0], "127.0.0.1",
                           "an answer from another port")

        def unrelated(server, question, client):
            extra = address("127.0.0.66", pack_name("bank.test"))
            return question.reply(extra, address("127.0.0.1"), extra) if question.kind == A else question.reply()

        with NameServer(unrelated) as names:
            first, second = resolve(f"http://a.test:{http.port}/", "http://bank.test:1/", servers=names)
            expect_address(first, "127.0.0.1", "records of other names are passed over")
            check(sum(q.name == "bank.test" for q in names.questions) == 2, "and not remembered")

        def folded(server, question, client):
            return question.reply(section=question.section.lower(), *([address("127.0.0.1")] if question.kind == A else []))

        with NameServer(folded, lambda c, q: q.reply(*([address("127.0.0.1")] if q.kind == A else []),
                                                     section=q.section.lower())) as names:
            line = resolve(f"http://a-name-long-enough.test:{http.port}/", servers=names, attempt_ms=200)[0]
            expect_address(line, "127.0.0.1", "a server that loses the case is asked over TCP")


def old_servers():
    def no_edns(server, question, client):
        return question.reply(code=1) if question.has_edns else v4_only(question)

    with NameServer(no_edns) as names, Raw(web()) as http:
        expect_address(resolve(f"http://a.test:{http.port}/", servers=names)[0], "127.0.0.1", "without EDNS0")


def addresses_of_servers():
    with Raw(web()) as http:
        try:
            server = NameServer(lambda s, q, c: v4_only(q), host="::1")
        except OSError:
            return  # no IPv6 here
        with server:
            expect_address(resolve(f"http://a.test:{http.port}/", servers=server)[0], "127.0.0.1", "a server at ::1")
    result = run("resolve", "--servers", "nonsense", "http://a.test/")
    check(result.returncode == 2, "servers that make no sense are refused", result.stdout)


def happy_eyeballs():
    """D3: a dead address does not hold a live one up."""
    def both(*addresses):
        return lambda s, q, c: q.reply(*[address(a) for a in addresses if (":" in a) == (q.kind == AAAA)])

    with Raw(web()) as http, NameServer(both("::1", "127.0.0.1")) as names:
        line = quickest(900, f"http://a.test:{http.port}/", servers=names)
        expect_address(line, "127.0.0.1", "nobody listens at ::1")
        check(int(line[4]) < 900, "which is noticed at once", line)
    port, hole = silent_host("127.0.0.2", free_port())
    live = socket.socket()
    live.bind(("127.0.0.3", port))
    live.listen(8)

    def serve():
        while True:
            try:
                connection, _ = live.accept()
            except OSError:
                return
            with connection:
                web()(connection, 0)
    threading.Thread(target=serve, daemon=True).start()
    probe = socket.socket()
    probe.settimeout(0.3)
    try:
        probe.connect(("127.0.0.2", port))
        is_hole = False  # this system answers for a full queue
    except OSError:
        is_hole = True
    with NameServer(both("127.0.0.2", "127.0.0.3")) as names:
        line = quickest(1000, f"http://a.test:{port}/", servers=names)
        if is_hole:
            expect_address(line, "127.0.0.3", "the first address is a black hole")
            check(200 < int(line[4]) < 1000, "the second is tried after 250 ms", line)
    for s in [live, probe, *hole]:
        s.close()


def platform():
    name = socket.gethostname()
    with Raw(web()) as http:
        try:
            here = socket.gethostbyname(name)
        except OSError:
            here = None
        if here == "127.0.0.1":
            expect_address(resolve(f"http://{name}:{http.port}/", platform=True)[0], here, "the machine's own name")
    line = resolve("http://no-such-host.invalid/", platform=True, resolve_ms=300)[0]
    check(line[1] == "error" and int(line[2]) in (NOT_FOUND, TEMPORARY, TIMEOUT), "a name that is not there", line)


def without_threads():
    """The stub is what such a build uses by itself; under ASan, for leaks in all the paths above."""
    for name, flags in (("resolve.nothreads", ["-DTURBOHTTP_NO_THREADS"]), ("resolve.asan", [])):
        subprocess.run(["gcc", "-std=c99", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
                        *flags, "-I.", "tests/tools/resolve.c", "-o", f"build/{name}", "-pthread"], cwd=ROOT, check=True)

    def truncated(server, question, _):
        return question.reply(flags=0x8380)

    with Raw(web()) as http, NameServer(lambda s, q, c: v4_only(q)) as good, NameServer() as silent, \
            NameServer(truncated, lambda c, q: q.reply(address("127.0.0.1")) if q.kind == A else q.reply()) as big:
        for program in ("resolve.nothreads", "resolve.asan"):
            for servers in (good, big, [silent, good]):
                line = resolve(f"http://a.test:{http.port}/", servers=servers, program=program, attempt_ms=100)[0]
                expect_address(line, "127.0.0.1", f"{program} with {servers}")
            line = resolve("http://a.test/", servers=silent, program=program, resolve_ms=100)[0]
            expect_error(line, TIMEOUT, f"{program}: cancelled by a time limit")
    line = resolve("http://no-such-host.invalid/", platform=True, program="resolve.asan", resolve_ms=50)[0]
    check(line[1] == "error", "the client is gone before the platform's answer", line)


if __name__ == "__main__":
    real_server()
    search_order()
    hosts_file()
    questions()
    aliases()
    streams()
    slow_and_silent()
    families()
    forgeries()
    old_servers()
    addresses_of_servers()
    happy_eyeballs()
    platform()
    if "TOOLS" not in os.environ:  # has builds of its own
        without_threads()
    finish()
