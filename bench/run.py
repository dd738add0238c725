#!/usr/bin/env python3
"""Asks every question of bench/ and prints the answers beside the goals.

    bench/run.py [NAME …]   all questions, or those whose name begins so; --list names them
    bench/run.py --quick    fewer rounds: for a look, not for the record
    bench/run.py --readme   also puts the table between the markers of README.md; with names, their rows
                            take the place of those of the last full run

A full run writes bench/RESULTS.md. Peers run in the same rounds as we do, in rotating order; a ratio
is the median of the rounds' ratios, or that of the quickest rounds (quickest.h). With two processors,
client and server have one each.
"""
import argparse
import math
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
sys.path.insert(0, str(ROOT / "tests/e2e"))
from certificates import Certificates  # noqa: E402
from counting import instructions, per_request, strace_works, system_calls  # noqa: E402
from hpack_stories import bench_text  # noqa: E402
from servers import Nghttpd, Nginx  # noqa: E402
from tls_servers import SecureNginx  # noqa: E402

QUICK = False
QUESTIONS = {}
CORTEX = "arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -Os -ffunction-sections -fdata-sections".split()
SMALLEST = "-Os -DTURBOHTTP_STATIC -ffunction-sections -fdata-sections -Wl,--gc-sections -s".split()


def question(ask):
    QUESTIONS[ask.__name__] = ask
    return ask


# ------------------------------------------------------------------ rows
def row(what, ours, peer="", ratio="", goal="", met=None):
    return [what, ours, peer, ratio, goal, {True: "yes", False: "NO", None: ""}[met]]


def ratio_row(what, ours, peer, ratio, most=None, least=None):
    goal = f"≤ {most} ×" if most else f"≥ {least} ×" if least else ""
    met = ratio <= most if most else ratio >= least if least else None
    return row(what, ours, peer, f"{ratio:.2f} ×", goal, met)


def most_row(what, value, most, form="{:.0f}", peer=""):
    goal, met = ("", None) if most is None else ("≤ " * (most > 0) + form.format(most), value <= most)
    return row(what, form.format(value), peer, "", goal, met)


# ------------------------------------------------------------------ building and running
def sh(*command, **more):
    result = subprocess.run([str(c) for c in command], cwd=ROOT, capture_output=True, text=True, **more)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{result.stdout}{result.stderr}")
    return result.stdout


def build(name, source, *flags, level="-O2"):
    """build/NAME, with the libraries last."""
    BUILD.mkdir(exist_ok=True)
    sh("gcc", "-std=c99", level, "-I.", "-Itests/support", *[f for f in flags if not f.startswith("-l")], source,
       "-o", f"build/{name}", "-pthread", *[f for f in flags if f.startswith("-l")])
    return str(BUILD / name)


def number(text, name):
    return float(re.search(rf"{name}\s+([\d.]+)", text)[1])


def rotating(modes, rounds, measure):
    """{mode: [one value per round]}, each mode as often first as last."""
    values = {mode: [] for mode in modes}
    for turn in range(rounds):
        for i in range(len(modes)):
            mode = modes[(turn + i) % len(modes)]
            values[mode].append(measure(mode))
    return values


def compare(values, peer, ours="ours"):
    """Medians of both, and of the ratios within a round."""
    ratio = statistics.median(a / b for a, b in zip(values[ours], values[peer]))
    return statistics.median(values[ours]), statistics.median(values[peer]), ratio


class Pinned:
    """A server on the last processor, with what the questions fetch. Clients take the first."""

    def __enter__(self):
        super().__enter__()
        self.file("small", b"x" * 100)
        self.file("page", b"<p>A page that is worth compressing.</p>\n" * 200)
        self.pin()
        return self

    def pin(self):
        cpus = sorted(os.sched_getaffinity(0))
        self.client = ["taskset", "-c", str(cpus[0])] if len(cpus) > 1 else []
        pid = self.process.pid
        workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for process in [pid, *map(int, workers)]:
            os.sched_setaffinity(process, {cpus[-1]} if len(cpus) > 1 else cpus)

    def run(self, program, mode, path, *arguments):
        return sh(*self.client, program, mode, "127.0.0.1", self.port, path, *arguments)


class Server(Pinned, Nginx):
    """nginx."""


class H2Server(Pinned, Nghttpd):
    """nghttpd over cleartext, one worker; it allows the 128 streams that are asked of it."""

    def __init__(self):
        super().__init__(None, "--max-concurrent-streams=128")

    def requests(self, program, mode, count, width):
        """The command that makes `count` requests for the 100 bytes over one connection, `width` at a time."""
        if mode == "h2load":
            return ["h2load", "-n", str(count), "-c", "1", "-m", str(width), self.url("/small")]
        return [program, mode, "127.0.0.1", str(self.port), "/small", str(count), str(width)]


class SecureServer(Pinned, SecureNginx):
    """nginx with TLS for "localhost", by a certificate (RSA 2048, of an authority) made on the spot."""

    def __init__(self, certificates):
        self.authority = certificates.authority("Authority of the bench")
        leaf = certificates.issue("localhost", self.authority, names=("DNS:localhost",))
        super().__init__(leaf, servers=[("localhost", "")])

    def measure(self, program, mode, path, count):
        return sh(*self.client, program, mode, self.tls_port, self.authority.path, path, count)


def requests_program():
    return build("bench_requests", "bench/bench_requests.c", "-lcurl")


# ------------------------------------------------------------------ questions: requests
@question
def memory():
    """Allocator calls per request after warm-up; bytes that an idle connection holds."""
    program = build("bench_memory", "bench/bench_memory.c")
    with Server() as server:
        out = sh(program, "127.0.0.1", server.port, "/small", "/gzip/page")
    for name, what in [("plain", "keep-alive"), ("gzip", "keep-alive, gzip body"), ("wide", "16 connections")]:
        yield most_row(f"allocator calls per request, {what}", number(out, name), 0, "{:g}")
    yield most_row("memory per idle keep-alive connection", number(out, "bytes_per_idle_connection"), 2048, "{:.0f} B")


@question
def syscalls():
    """System calls per request, the difference of two runs under strace."""
    if not strace_works():
        yield row("system calls per request", "strace cannot trace here", goal="≤ 3")
        return
    program = requests_program()
    with Server() as server:
        def calls(mode, width):
            return per_request(system_calls, lambda n: [program, mode, "127.0.0.1", str(server.port), "/small",
                                                        str(n), str(width)], 500, 2500, 1 if QUICK else 3)
        curl, multi = calls("curl", 1), calls("curl-multi", 16)
        for mode, what, width, most in [("ours", "blocking", 1, 3), ("ours-auto", "polled", 1, 3),
                                        ("ours-poll", "16 connections, poll", 16, 2.1),
                                        ("ours-epoll", "16 connections, epoll", 16, 2.1)]:
            peer = f"libcurl {curl if width == 1 else multi:.2f}"
            # One call more in a whole run (a clock tick, a late wake-up) is not one more per request.
            yield most_row(f"system calls per request, {what}", round(calls(mode, width), 2), most, "{:.2f}", peer)


def cpu_rows(modes, width, requests, what, goals):
    program = requests_program()
    with Server() as server:
        values = rotating(modes, 3 if QUICK else 7, lambda mode: number(
            server.run(program, mode, "/small", requests // (4 if QUICK else 1), width), "cpu_us_per_request"))
    for peer, name, most in goals:
        ours, theirs, ratio = compare(values, peer, modes[0])
        yield ratio_row(f"{what}, against {name}", f"{ours:.2f} µs", f"{theirs:.2f} µs", ratio, most)


@question
def cpu_alone():
    """Client CPU per request, one connection, 100-byte body."""
    yield from cpu_rows(["ours", "raw", "curl"], 1, 20000, "client CPU per request, one connection",
                        [("raw", "a send/recv loop", 1.10), ("curl", "libcurl easy", None)])


@question
def cpu_wide():
    """Client CPU per request, 128 in flight."""
    yield from cpu_rows(["ours-auto", "ours-poll", "raw-epoll", "curl-multi"], 128, 40000,
                        "client CPU per request, 128 in flight",
                        [("raw-epoll", "an epoll loop", 1.20), ("curl-multi", "libcurl multi", 0.6),
                         ("ours-poll", "ours with poll(2)", None)])


@question
def instructions_wide():
    """User-mode instructions per request, 16 connections, the difference of two runs."""
    program = requests_program()
    with Server() as server:
        def count(mode):
            return per_request(instructions, lambda n: [program, mode, "127.0.0.1", str(server.port), "/small",
                                                        str(n), "16"], 500, 1500 if QUICK else 2500)
        ours, raw, curl = count("ours-poll"), count("raw-epoll"), count("curl-multi")
    yield most_row("user instructions per request, 16 connections", ours, 4000, "{:,.0f}",
                   f"epoll loop {raw:,.0f}, libcurl multi {curl:,.0f}")


@question
def download():
    """Client CPU of 1 GiB to a sink."""
    program = build("bench_download", "bench/bench_download.c", "-lcurl")
    with Server() as server:
        with open(server.file("big", b"") or server.root / "big", "r+b") as file:
            file.truncate(1 << 30)
        values = rotating(["ours", "raw", "curl"], 3 if QUICK else 9,
                          lambda mode: number(server.run(program, mode, "/big"), "cpu_ms"))
    for peer, name, most in [("raw", "a loop of 256 KiB recv", 1.05), ("curl", "libcurl", None)]:
        ours, theirs, ratio = compare(values, peer)
        yield ratio_row(f"1 GiB download, client CPU, against {name}", f"{ours:.0f} ms", f"{theirs:.0f} ms", ratio, most)


# ------------------------------------------------------------------ questions: HTTP/2
def http2_program():
    return build("bench_http2", "bench/bench_http2.c", "-lcurl")


@question
def http2_requests():
    """Requests over one HTTP/2 connection: CPU, instructions, system calls."""
    program = http2_program()
    with H2Server() as server:
        def counted(count, mode, short, long, width, tries=1):
            return per_request(count, lambda n: server.requests(program, mode, n, width), short, long, tries)

        def cpu_us(command):
            start = children_ms()
            sh(*server.client, *command)
            return (children_ms() - start) * 1000

        # 128 in flight: ours sends 100 at a time, the limit of the library, and 28 wait in the client.
        longest = {"ours": 200000, "h2load": 200000, "curl": 40000}
        values = rotating(list(longest), 3 if QUICK else 9, lambda mode: counted(
            cpu_us, mode, 200, longest[mode] // (4 if QUICK else 1), 128))
        for peer, name, most in [("h2load", "h2load", 0.8), ("curl", "libcurl multi", 0.08)]:
            ours, theirs, ratio = compare(values, peer)
            yield ratio_row(f"HTTP/2 request, 128 in flight, client CPU, against {name}", f"{ours:.2f} µs",
                            f"{theirs:.2f} µs", ratio, most)
        ours, h2load, curl = (counted(instructions, mode, 480, 1440 if QUICK else 2400, 16)
                              for mode in ("ours", "h2load", "curl"))
        yield most_row("user instructions per HTTP/2 request, 16 in flight", ours, 6000, "{:,.0f}",
                       f"h2load {h2load:,.0f}, libcurl multi {curl:,.0f}")
        if not strace_works():
            yield row("system calls per HTTP/2 request", "strace cannot trace here", goal="≤ 0.25")
            return
        ours, h2load, curl = (counted(system_calls, mode, 480, 2400, 16, 1 if QUICK else 3)
                              for mode in ("ours", "h2load", "curl"))
        yield most_row("system calls per HTTP/2 request, 16 in flight", round(ours, 2), 0.25, "{:.2f}",
                       f"h2load {h2load:.2f}, libcurl multi {curl:.2f}")


@question
def http2_memory():
    """Allocator calls per HTTP/2 request; bytes that streams and an idle connection hold."""
    with H2Server() as server:
        out = sh(*server.requests(http2_program(), "memory", 20000, 100))
    yield most_row("allocator calls per HTTP/2 request, 100 streams", number(out, "calls_per_request"), 0, "{:g}")
    yield most_row("memory of a stream that waits to be used again", number(out, "bytes_per_stream"), 512, "{:.0f} B")
    tables = number(out, "table_bytes")
    yield most_row("memory of an idle HTTP/2 connection", number(out, "connection_bytes"), 8192 + tables, "{:,.0f} B",
                   f"header tables {tables:,.0f} B")


@question
def http2_download():
    """Client CPU of 1 GiB in one HTTP/2 stream to a sink."""
    program = http2_program()
    with H2Server() as server, Server() as plain:
        for each in (server, plain):
            each.file("big", b"")
            os.truncate(each.root / "big", 1 << 30)
        values = rotating(["download", "download-1.1", "download-curl"], 3 if QUICK else 9, lambda mode: number(
            (plain if mode == "download-1.1" else server).run(program, mode, "/big", 1, 1), "cpu_ms"))
    for peer, name, most in [("download-1.1", "ours over HTTP/1.1 from nginx", 1.25), ("download-curl", "libcurl", 0.6)]:
        ours, theirs, ratio = compare(values, peer, "download")
        yield ratio_row(f"1 GiB in one HTTP/2 stream, client CPU, against {name}", f"{ours:.0f} ms", f"{theirs:.0f} ms",
                        ratio, most)


# ------------------------------------------------------------------ questions: TLS
def tls_program():
    return build("bench_tls", "bench/bench_tls.c", "-lcurl", "-lbearssl")


def tls_values(server, program, modes, path, count, rounds):
    return rotating(modes, rounds, lambda mode: number(server.measure(program, mode, path, count), "cpu_us"))


@question
def tls_requests():
    """Requests over one kept TLS connection: CPU, system calls, allocator calls."""
    program = tls_program()
    with Certificates() as certificates, SecureServer(certificates) as server:
        values = tls_values(server, program, ["requests", "raw-requests", "curl-requests"], "/small", 2000 if QUICK else 10000,
                            3 if QUICK else 7)
        for peer, name, most in [("raw-requests", "a loop on BearSSL's engine", 1.10), ("curl-requests", "libcurl + OpenSSL", None)]:
            ours, theirs, ratio = compare(values, peer, "requests")
            yield ratio_row(f"HTTPS request on a kept connection, CPU, against {name}", f"{ours:.1f} µs", f"{theirs:.1f} µs",
                            ratio, most)
        if strace_works():
            calls = per_request(system_calls, lambda n: [program, "requests", str(server.tls_port),
                                str(server.authority.path), "/small", str(n)], 500, 1500, 1 if QUICK else 3)
            yield most_row("system calls per HTTPS request", round(calls, 2), 2.2, "{:.2f}")
        out = server.measure(program, "memory", "/small", 200)
        yield most_row("allocator calls per HTTPS request", number(out, "calls_per_request"), 0, "{:g}")
        for name, what in [("connection", "memory of a TLS connection"), ("small", "the same with tls.buffer_bytes = 837")]:
            own = number(out, f"{name}_bytes_own")
            most = own + 1024 if name == "connection" else 8192
            yield most_row(what, number(out, f"{name}_bytes"), most, "{:,.0f} B", f"BearSSL {own:,.0f} B")
        out = server.measure(program, "roots", "/small", 50)
        yield most_row("loading the system's roots", number(out, "cpu_us") / 1000, 10, "{:.2f} ms")
        yield most_row("kept of them until one is needed", number(out, "kept_bytes"), 16384, "{:,.0f} B")


@question
def tls_handshakes():
    """A full handshake and one that continues a session, with connect and one request."""
    program = tls_program()
    with Certificates() as certificates, SecureServer(certificates) as server:
        values = tls_values(server, program, ["resumed", "full"], "/small", 100 if QUICK else 300, 3 if QUICK else 7)
    ours, full, ratio = compare(values, "full", "resumed")
    yield ratio_row("second connection to a host, CPU, against a full handshake", f"{ours / 1000:.2f} ms",
                    f"{full / 1000:.2f} ms", ratio, 0.15)


@question
def tls_download():
    """Client CPU of 1 GiB over AES-128-GCM to a sink."""
    program = tls_program()
    with Certificates() as certificates, SecureServer(certificates) as server:
        server.file("big", b"")
        os.truncate(server.root / "big", 1 << 30)
        values = tls_values(server, program, ["download", "raw-download", "curl-download"], "/big", 1, 3 if QUICK else 9)
    for peer, name, most in [("raw-download", "a loop on BearSSL's engine", 1.10),
                             ("curl-download", "libcurl + OpenSSL", 0.95)]:
        ours, theirs, ratio = compare(values, peer, "download")
        yield ratio_row(f"1 GiB over HTTPS, client CPU, against {name}", f"{ours / 1000:.0f} ms",
                        f"{theirs / 1000:.0f} ms", ratio, most)


# ------------------------------------------------------------------ questions: codecs
@question
def heads():
    """Response heads with framing decided. AVX2 is measured as the x86-64 level that it belongs to."""
    builds = [("portable", ["-DTURBOHTTP_NO_SIMD"], 4.5), ("SSE2", [], 6), ("AVX2", ["-march=x86-64-v3"], 8)]
    for name, flags, least in builds:
        out = sh(build(f"bench_h1_head.{name}", "bench/bench_h1_head.c", *flags, "-lhttp_parser"))
        for what in re.findall(r"(head, \d+ headers)", out):
            line = next(line for line in out.splitlines() if line.startswith(what))
            yield ratio_row(f"response {what}, {name}, against http-parser", f"{number(line, 'turbohttp'):.0f} ns",
                            f"{number(line, 'http-parser'):.0f} ns", number(line, "ratio"), least=least)


@question
def chunked():
    """Chunked bodies into spans."""
    out = sh(build("bench_chunked", "bench/bench_chunked.c", "-lhttp_parser"))
    for size in (64, 1024):
        line = next(line for line in out.splitlines() if line.startswith(f"chunks of {size:5} B"))
        yield ratio_row(f"chunked decoding, chunks of {size} B, against http-parser",
                        f"{number(line, 'turbohttp'):.1f} ns", f"{number(line, 'http-parser'):.1f} ns",
                        number(line, "ratio"), least=2)


@question
def inflate():
    """Inflate beside zlib and libdeflate, its state, and its code on a Cortex-M4."""
    out = sh(build("bench_inflate", "bench/bench_inflate.c", "-lz", "-ldeflate"))
    rows = re.findall(r"^(\S.*?) +\d+ +[\d.]+% +(\d+) +(\d+) +(\d+) +([\d.]+) +([\d.]+)$", out, re.M)
    for peer, least, column in [("zlib", 2.4, 4), ("libdeflate, whole buffer", None, 5)]:
        ratios = [float(found[column]) for found in rows]
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        speeds = [statistics.median(int(found[i]) for found in rows) for i in (1, column - 2)]
        yield ratio_row(f"inflate of {len(rows)} texts (from {min(ratios):.2f} × to {max(ratios):.2f} ×), against {peer}",
                        f"{speeds[0]:.0f} MB/s", f"{speeds[1]:.0f} MB/s", mean, least=least)
    state = re.search(r"sizeof\(turbohttp_inflate\) = (\d+)", out)[1]
    yield most_row("inflate state with its window", int(state), 49152, "{:,} B")
    objects = []
    for stem in ("inflate", "checksum"):
        objects.append(f"build/size_{stem}.o")
        sh(*CORTEX, "-std=c99", "-c", f"src/format/{stem}.c", "-o", objects[-1])
    code = sum(text_of(o, "arm-none-eabi-size")[0] for o in objects)
    yield most_row("inflate with CRC, code on Cortex-M4", code, 5632, "{:,} B")


@question
def hpack():
    """HPACK beside libnghttp2: speed, size of what is written, and code on a Cortex-M4."""
    program = build("bench_hpack", "bench/bench_hpack.c", "-l:libnghttp2.a")
    text, source = bench_text()
    lists = BUILD / "hpack_lists.txt"
    lists.write_text(text)
    out = sh(program, lists)
    for name, what, least in [("decode", f"HPACK decoding of {source}, each field", 2),
                              ("huffman", "Huffman decoding of their values, each string", 2.3),
                              ("encode", "HPACK encoding of the same lists, each field", 1.4)]:
        line = next(line for line in out.splitlines() if line.startswith(name))
        yield ratio_row(f"{what}, against nghttp2", f"{number(line, 'turbohttp'):.0f} ns",
                        f"{number(line, 'nghttp2'):.0f} ns", number(line, "ratio"), least=least)
    line = next(line for line in out.splitlines() if line.startswith("size"))
    ours, theirs = number(line, "turbohttp"), number(line, "nghttp2")
    yield ratio_row("HPACK, size of what is written", f"{ours:,.0f} B", f"{theirs:,.0f} B", ours / theirs, most=1)
    objects = []
    for stem in ("huffman", "table", "decode", "encode"):
        objects.append(f"build/size_hpack_{stem}.o")
        sh(*CORTEX, "-std=c99", "-c", f"src/codec/hpack_{stem}.c", "-o", objects[-1])
    code = sum(text_of(o, "arm-none-eabi-size")[0] for o in objects)
    yield most_row("HPACK both ways with its tables, on Cortex-M4", code, 9216, "{:,} B")


# ------------------------------------------------------------------ questions: sizes and compile time
def text_of(path, size="size"):
    """Bytes of text and of data."""
    return [int(n) for n in sh(size, path).splitlines()[1].split()[:2]]


def device_text(*flags):
    """Bytes of code of bench/size_device.c on a Cortex-M4."""
    sh(*CORTEX, "-std=c99", "-I.", "-DTURBOHTTP_STATIC", *flags, "bench/size_device.c", "-nostartfiles",
       "--specs=nano.specs", "--specs=nosys.specs", "-Wl,--gc-sections,-e,main", "-o", "build/size_device.elf")
    return text_of("build/size_device.elf", "arm-none-eabi-size")[0]


@question
def http2_size():
    """What HTTP/2 with HPACK adds to a program on a Cortex-M4."""
    bare = ["-DTURBOHTTP_NO_TLS", "-DTURBOHTTP_NO_INFLATE"]
    added = device_text(*bare) - device_text(*bare, "-DTURBOHTTP_NO_HTTP2")
    yield most_row("HTTP/2 with HPACK, added to a program on Cortex-M4", added, 18432, "{:,} B")


@question
def size():
    """Size of a GET program, -Os, stripped."""
    small = ["-DTURBOHTTP_NO_TLS", "-DTURBOHTTP_NO_HTTP2", "-DTURBOHTTP_NO_INFLATE", "-DTURBOHTTP_NO_DNS_STUB",
             "-DTURBOHTTP_NO_SIMD"]
    lean = ["-fno-asynchronous-unwind-tables"]
    for what, flags, most in [("everything", [], None), ("without TLS, HTTP/2, inflate, DNS stub, SIMD", small, 12288),
                              ("the same, without unwind tables", small + lean, 12288)]:
        program = build("size_get", "examples/01_get.c", *SMALLEST, *flags, level="-Os")
        yield most_row(f"GET program, text + data, {what}", sum(text_of(program)), most, "{:,} B")
    program = build("size_small_get", "examples/10_small_get.c", *SMALLEST, *small, *lean, level="-Os")
    yield most_row("GET program on the codecs alone (examples/10), text", text_of(program)[0], 12288, "{:,} B")
    empty = BUILD / "size_empty.c"
    empty.write_text("int main(void) { return 0; }\n")
    bare = sum(text_of(build("size_empty", empty, *SMALLEST, *lean, level="-Os")))
    yield most_row("an empty program, for comparison", bare, None, "{:,} B")
    for what, flags in [("own transport", []),
                        ("own transport, without TLS, HTTP/2, inflate", small[:3]),
                        ("the same without the sentences of errors and lenient heads",
                         small[:3] + ["-DTURBOHTTP_NO_SENTENCES", "-DTURBOHTTP_NO_LENIENT"])]:
        yield most_row(f"GET on Cortex-M4, {what}, text", device_text(*flags), 12288, "{:,} B")


def children_ms():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1000


@question
def compile_time():
    """Compile time of implementation and declarations: processor time, best of 5."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "one.c")
        for what, text, most in [("-O2 compile of the implementation", "#define TURBOHTTP_IMPLEMENTATION\n", 2000),
                                 ("declarations alone", "", 50)]:
            source.write_text(f'{text}#include "turbohttp.h"\nint unused;\n')
            times = []
            for _ in range(1 if QUICK else 5):
                start = children_ms()
                sh("gcc", "-std=c99", "-O2", "-I.", "-c", source, "-o", f"{folder}/one.o")
                times.append(children_ms() - start)
            yield most_row(what, min(times), most, "{:,.0f} ms")


# ------------------------------------------------------------------ the table
HEADINGS = ["what", "ours", "peer", "ratio", "goal", "met?"]


def markdown(rows):
    lines = ["| " + " | ".join(cells) + " |" for cells in [HEADINGS, *rows]]
    return "\n".join([lines[0], "|---|---:|---:|---:|---:|---|", *lines[1:]]) + "\n"


def machine():
    compiler = sh("gcc", "-dumpfullversion").strip()
    cpu = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    return f"gcc {compiler}, {platform.machine()}" + (f" ({cpu[1].strip()})" if cpu else "")


def put_in_place(rows):
    """The rows of the last run with these instead of those of the same name; new ones come last."""
    lines = [line for line in (ROOT / "bench/RESULTS.md").read_text().splitlines() if line.startswith("| ")]
    before = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[1:]]
    now = {cells[0]: cells for cells in rows}
    return [now.pop(cells[0], cells) for cells in before] + list(now.values())


def write_results(rows):
    (ROOT / "bench/RESULTS.md").write_text(
        "# Figures\n\nWritten by `make bench`. Peers run in the same rounds, in rotating order; a ratio is the median\n"
        "of the rounds' ratios, for heads, chunks and HPACK that of the quickest rounds.\n"
        f"{machine()}; network figures against nginx on loopback, those of HTTP/2 against nghttpd.\n\n" + markdown(rows))


def write_readme(rows):
    readme = ROOT / "README.md"
    text = readme.read_text() if readme.exists() else ""
    if "<!-- figures -->" not in text or "<!-- /figures -->" not in text:
        return print("README.md has no markers for figures: nothing written there")
    head, rest = text.split("<!-- figures -->", 1)
    tail = rest.split("<!-- /figures -->", 1)[1]
    readme.write_text(f"{head}<!-- figures -->\n{markdown(rows)}<!-- /figures -->{tail}")


def print_row(cells):
    print(f"{cells[0]:72} {cells[1]:>12} {cells[2]:>12} {cells[3]:>9} {cells[4]:>10}  {cells[5]}", flush=True)


def main():
    global QUICK
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    for option, text in [("quick", "fewer rounds"), ("readme", "update README.md"), ("list", "name the questions")]:
        parser.add_argument("--" + option, action="store_true", help=text)
    options = parser.parse_args()
    QUICK = options.quick
    chosen = [ask for name, ask in QUESTIONS.items() if not options.names or any(map(name.startswith, options.names))]
    if options.list:
        return print("\n".join(f"{ask.__name__:18} {ask.__doc__}" for ask in chosen))
    print_row(HEADINGS)
    rows = []
    for ask in chosen:
        for cells in ask():
            print_row(cells)
            rows.append(cells)
    if options.names and options.readme:
        rows = put_in_place(rows)
    if options.readme or not (options.names or options.quick):
        write_results(rows)
    if options.readme:
        write_readme(rows)


if __name__ == "__main__":
    main()
