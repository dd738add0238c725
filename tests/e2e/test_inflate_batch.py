"""build/inflate_batch against zlib: random, spoilt and synthetic streams, every chunk size, and the
corners: nothing at all, empty members, several members, bytes behind the end."""
import gzip
import random
import subprocess
import zlib

from checks import ROOT, check, finish
from inflate_diff import agrees, by_zlib, case, run_batch

RANDOM_CASES = 2000
TEXT = b"".join(b"%d bottles of something on the wall, " % i for i in range(120)) + random.Random(4).randbytes(200)


def pack(form, data, level=9):
    c = zlib.compressobj(level, zlib.DEFLATED, {"g": 31, "z": 15, "r": -15}[form])
    return c.compress(data) + c.flush()


def compare(tool, cases, what):
    for (form, chunk, stream), actual in zip(cases, run_batch(tool, cases)):
        check(agrees(by_zlib(form, stream), actual), f"{what}: format {form}, chunk {chunk}, {len(stream)} bytes",
              (stream[:40].hex(), actual[0], len(actual[1])))


def random_streams(tool):
    rng = random.Random(20)
    for start in range(0, RANDOM_CASES, 50):
        compare(tool, [case(rng, n) for n in range(start, start + 50)], "random")


def every_chunk_size(tool):
    for form in "gzr":
        good = pack(form, TEXT)
        compare(tool, [(form, chunk, good) for chunk in range(256)], "every chunk")
        compare(tool, [(form, chunk, good[:-5]) for chunk in range(256)], "every chunk, cut")


def corners(tool):
    for form in "gzr":
        empty, good = pack(form, b""), pack(form, TEXT)
        streams = [b"", b"\0", empty, empty + empty, empty + good, good + empty, good + good, good + b"\0", good + b"x" * 1000,
                   good + good[:1], good + good[:9], good + good[:-1], good[1:], pack(form, TEXT, 0), b"\xff" * 100, bytes(100)]
        streams += [good[:n] for n in range(0, len(good), 7)] + [empty[:n] for n in range(len(empty))]
        streams += [good[:-n - 1] + bytes([good[-n - 1] ^ 1]) + good[len(good) - n:] for n in range(8)]  # each byte of the trailer
        for chunk in (0, 1, 2, 64):
            compare(tool, [(form, chunk, s) for s in streams], "corners")
    many = b"".join(gzip.compress(b"%d," % i) for i in range(300))
    compare(tool, [("g", chunk, many) for chunk in (0, 1, 255)], "300 members")
    compare(tool, [("g", 0, b"not gzip"), ("g", 0, gzip.compress(b"next")), ("z", 1, b"x"), ("r", 1, pack("r", b"next"))],
            "a failure does not touch the next stream")


with subprocess.Popen([ROOT / "build/inflate_batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
    random_streams(program)
    every_chunk_size(program)
    corners(program)
    program.stdin.close()
    check(program.wait(10) == 0, "it ends when its input does", program.returncode)
cut = subprocess.run([ROOT / "build/inflate_batch"], input=b"\0\0\0\x09g\0abc", capture_output=True, timeout=10)
check(cut.returncode == 1 and not cut.stdout, "a request that is cut is an error", cut)
finish()
