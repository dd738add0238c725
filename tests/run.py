#!/usr/bin/env python3
"""Builds and runs every test, two at a time, and closes with the sum `N passed, N failed`.

    tests/run.py [NAME]                 only the steps whose name contains NAME
    tests/run.py fuzz --fuzz-seconds 60 the fuzz drivers, longer

A step is a build (may be empty) and a run; a run passes with exit code 0, and counts what its last
line `N passed, N failed` says, or as one.
"""
import argparse
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
WARN = "-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror".split()
SANITIZE = "-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer".split()
MEMORY = "-g -O1 -fsanitize=memory -fno-sanitize-recover=all -fno-omit-frame-pointer".split()
ALWAYS_EPOLL = ["-DTBH_EPOLL_FROM=1"]  # from the first socket on
INCLUDES = ["-I.", "-Itests/support"]
COUNT = re.compile(r"^(\d+) passed, (\d+) failed", re.M)
FUZZ_SECONDS = 5


class Step:
    def __init__(self, name, build, run, env=None):
        self.name, self.build, self.run, self.env = name, build, run, env or {}


def compiled(name, source, flags, compiler="gcc", run=None, libs=(), std="-std=c99"):
    out = f"build/{name}"
    build = [compiler, std, "-D_GNU_SOURCE", *flags, *INCLUDES, source, "-o", out, "-pthread", *libs]
    return Step(name, [build], run or [out])


# ------------------------------------------------------------------ the steps
def bearssl(path):
    """Only what includes the second header is linked with BearSSL."""
    return ["-lbearssl"] if "turbohttp_tls_bearssl.h" in path.read_text() else []


def unit_steps():
    for path in sorted((ROOT / "tests/unit").glob("test_*.c")):
        source, stem = f"tests/unit/{path.name}", path.stem
        text = path.read_text()
        libs = (["-lz"] if "zlib.h" in text else []) + bearssl(path)
        yield compiled(f"{stem}.sanitized", source, [*SANITIZE], libs=libs)
        yield compiled(f"{stem}.fast", source, ["-O2", *WARN], libs=libs)
        if path.stem in ("test_sockets", "test_threads", "test_resolver_stub"):
            yield compiled(f"{stem}.epoll", source, [*SANITIZE, *ALWAYS_EPOLL], libs=libs)
        if path.stem == "test_sockets":
            yield compiled(f"{stem}.memory", source, MEMORY, compiler="clang", libs=libs)
        if "NO_SIMD" in text:
            yield compiled(f"{stem}.portable", source, [*SANITIZE, "-DTURBOHTTP_NO_SIMD"], libs=libs)
            yield compiled(f"{stem}.avx2", source, ["-O2", "-mavx2"], libs=libs)
        if path.stem in ("test_scan", "test_h1_head", "test_url"):  # a byte at a time
            yield compiled(f"{stem}.small", source, [*SANITIZE, "-Os", "-DTURBOHTTP_NO_SIMD"], libs=libs)
        if "pthread.h" in text:
            yield compiled(f"{stem}.threads", source, ["-g", "-O1", "-fsanitize=thread"], compiler="clang", libs=libs)


def script_steps():
    source = "tests/script_player.c"
    yield compiled("scripts.sanitized", source, SANITIZE)
    yield compiled("scripts.secured", source, [*SANITIZE, "-DPLAYER_SECURED"])
    yield compiled("scripts.guards", source, ["-g", "-O1", "-DTURBOHTTP_DEBUG_GUARDS"])
    yield compiled("scripts.memory", source, MEMORY, compiler="clang")
    yield compiled("scripts.portable", source, ["-g", "-O1", "-DTURBOHTTP_NO_SIMD"])
    yield compiled("scripts.valgrind", source, ["-g", "-O1"],
                   run=["valgrind", "-q", "--error-exitcode=9", "--leak-check=full",
                        "build/scripts.valgrind", "tests/scripts", "basic"])


def matrix_steps():
    two = ["tests/compile/one.c", "tests/compile/two.c"]
    for compiler, stds in {"gcc": ["c99", "c11", "c17"], "clang": ["c99", "c11", "c17"],
                           "g++": ["c++11", "c++17", "c++20"], "clang++": ["c++11", "c++17", "c++20"]}.items():
        for std in stds:
            lang = ["-x", "c++"] if "++" in compiler else []
            out = f"build/compile.{compiler}.{std}"
            flags = [compiler, f"-std={std}", *WARN, *INCLUDES]
            yield Step(f"compile.{compiler}.{std}",
                       [[*flags, *lang, *two, "-o", out, "-pthread"],
                        [*flags, *lang, "-DTURBOHTTP_STATIC", *two, "-o", out + ".static", "-pthread"]], [out])
    for compiler, std in [("gcc", "c99"), ("clang", "c17"), ("g++", "c++11"), ("clang++", "c++20")]:
        for first in ["tls_first", "tls_late"][:1 if "++" in compiler else 2]:
            lang = ["-x", "c++"] if "++" in compiler else []
            out = f"build/compile.{first}.{compiler}"
            yield Step(f"compile.{first}.{compiler}",
                       [[compiler, f"-std={std}", "-O2", *WARN, *INCLUDES, *lang, *static, f"tests/compile/{first}.c",
                         "tests/compile/tls_two.c", "-o", out, "-pthread", "-lbearssl"]
                        for static in (["-DTURBOHTTP_STATIC"], [])], [out])
    for switch in ["NO_SOCKETS", "NO_THREADS", "NO_EPOLL", "NO_DNS_STUB", "NO_INFLATE", "NO_TLS", "NO_HTTP2", "NO_SIMD", "NO_SENTENCES", "NO_LENIENT", "DEBUG_GUARDS",
                   "NO_SOCKETS -DTURBOHTTP_NO_INFLATE", "NO_THREADS -DTURBOHTTP_NO_DNS_STUB"]:
        name = f"compile.{switch.split()[0]}{len(switch.split())}"
        flags = ["-std=c99", "-O1", *WARN, *INCLUDES, *f"-DTURBOHTTP_{switch}".split(), *two, "-pthread"]
        yield Step(name, [["gcc", *flags, "-o", f"build/{name}"], ["clang", *flags, "-o", f"build/{name}.clang"]],
                   [f"build/{name}"])
    yield Step("compile.alone", [], ["tests/compile/alone.sh"])
    yield Step("compile.header", [], ["tests/compile/header.sh"])


def example_steps():
    for path in sorted((ROOT / "examples").glob("*.c")):
        for compiler, std in [("gcc", "c99"), ("clang", "c11")]:
            yield Step(f"example.{path.stem}.{compiler}",
                       [[compiler, f"-std={std}", "-O2", *WARN, "-I.", f"examples/{path.name}", "-o",
                         f"build/{path.stem}" + ("" if compiler == "gcc" else ".clang"), "-pthread", *bearssl(path)]],
                       ["true"])


def fuzz_steps():
    for path in sorted((ROOT / "tests/fuzz").glob("fuzz_*.c")):
        corpus = ROOT / "tests/fuzz/corpus" / path.stem[5:]
        work = f"build/{path.stem}.corpus"
        libs = (["-lz"] if "zlib.h" in path.read_text() else []) + bearssl(path)
        step = compiled(path.stem, f"tests/fuzz/{path.name}",
                        ["-g", "-O1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"],
                        compiler="clang", libs=libs,
                        run=[f"build/{path.stem}", f"-max_total_time={FUZZ_SECONDS}", "-rss_limit_mb=512",
                             "-timeout=30", "-verbosity=0", "-print_final_stats=0", work]
                        + ([str(corpus)] if corpus.is_dir() else []))
        step.build.insert(0, ["mkdir", "-p", work])
        yield step


def e2e_steps():
    tools = [["make", "-s", "tools"]]
    for path in sorted((ROOT / "tests/e2e").glob("test_*.py")):
        yield Step(f"e2e.{path.stem}", tools, [sys.executable, str(path)])
        if path.stem in ("test_servers", "test_misbehaving", "test_turboget", "test_turboget_curl", "test_tls", "test_tls_faults"):
            sanitized = ["gcc", "-std=c99", *SANITIZE, "-I.", "examples/turboget.c", "-o",
                         "build/turboget.sanitized", "-pthread", "-lbearssl"]
            yield Step(f"e2e.{path.stem}.sanitized", [sanitized], [sys.executable, str(path)],
                       {"TURBOGET": "turboget.sanitized", "TLS_FAULT_STEP": "5"})
        if path.stem in ("test_servers", "test_misbehaving", "test_names", "test_game_loop"):
            epoll = [["make", "-s", "tools", "BUILD=build/epoll", f"CFLAGS=-O2 -g {ALWAYS_EPOLL[0]}"]]
            yield Step(f"e2e.{path.stem}.epoll", epoll, [sys.executable, str(path)], {"TOOLS": "epoll"})


def format_steps():
    sources = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "src").rglob("*.[ch]") if p.parent.name != "api")
    yield Step("format", [], ["clang-format", "--dry-run", "-Werror", *sources])


def all_steps():
    yield Step("amalgamate", [], ["./amalgamate.py", "--check"])
    yield Step("readme", [], [sys.executable, "tests/compile/test_readme.py"])
    yield Step("amalgamate.refuses", [], [sys.executable, "tests/compile/test_amalgamate.py"])
    for group in (format_steps, example_steps, unit_steps, script_steps, matrix_steps, fuzz_steps):
        yield from group()


# ------------------------------------------------------------------ running
def call(command, env):
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **env}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")


def perform(step):
    started = time.time()
    for command in [*step.build, step.run]:
        result = call(command, step.env)
        if result.returncode != 0:
            break
    counts = COUNT.findall(result.stdout) if command is step.run else []
    passed, failed = (int(counts[-1][0]), int(counts[-1][1])) if counts else (int(result.returncode == 0), 0)
    if result.returncode != 0 and failed == 0:
        failed = 1
    print(f"{'ok  ' if not failed else 'FAIL'} {step.name:42} {passed:6} passed {time.time() - started:6.1f} s", flush=True)
    if failed:
        print("     " + " ".join(command) + "\n" + result.stdout[-6000:], flush=True)
    return passed, failed


def main():
    global FUZZ_SECONDS
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="?", default="")
    parser.add_argument("--fuzz-seconds", type=int, default=5)
    options = parser.parse_args()
    FUZZ_SECONDS = options.fuzz_seconds
    BUILD.mkdir(exist_ok=True)
    parallel = [s for s in all_steps() if options.only in s.name]
    with ThreadPoolExecutor(max_workers=2) as pool:
        results = list(pool.map(perform, parallel))
    # Servers and counted system calls want the machine for themselves.
    results += [perform(s) for s in e2e_steps() if options.only in s.name]
    passed, failed = sum(r[0] for r in results), sum(r[1] for r in results)
    print(f"{passed} passed, {failed} failed")
    return failed != 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main())
