"""Header lists and header blocks to try HPACK with: public stories where they are present, and
generated ones always. A story is a list of steps for build/hpack_decode and build/hpack_encode."""
import json
import random
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / "shared/vectors/hpack"
sys.path.append("/usr/lib/python3/dist-packages")  # where Debian's python3-hpack lies


def stories(kind):
    """[(name, [(table size or None, block, [(name, value)])])] of a folder of stories."""
    for path in sorted((FOLDER / kind).glob("*.json")):
        cases = json.loads(path.read_text())["cases"]
        yield f"{kind}/{path.name}", [
            (case.get("header_table_size"), bytes.fromhex(case.get("wire", "")),
             [(k.encode(), v.encode()) for header in case["headers"] for k, v in header.items()]) for case in cases]


def value_of(rng):
    alphabet = rng.choice([b"0123456789", b"abcdefghijklmnop-_./=%ABC", bytes(range(32, 127)), bytes(range(256))])
    return bytes(rng.choice(alphabet) for _ in range(rng.choice([0, 1, 3, 8, 20, 40, 130, rng.randrange(3000)])))


def generated(seed, blocks=60):
    """One list of (table size or None, [(name, value)]) with names and values that come again."""
    rng = random.Random(seed)
    names = [b":method", b":path", b":authority", b"cookie", b"authorization", b"user-agent", b"accept", b"etag",
             b"x-" + value_of(rng)[:10].lower(), b"x-trace", b"content-type", b"", b"x-long-" + b"n" * rng.randrange(300)]
    pool = [(rng.choice(names), value_of(rng)) for _ in range(40)]
    pool += [(b":method", b"GET"), (b":method", b"PUT"), (b":status", b"404"), (b"accept-encoding", b"gzip, deflate")]
    for _ in range(blocks):
        size = rng.choice([None] * 6 + [0, 100, 4096, 65536, rng.randrange(10000)])
        yield size, [rng.choice(pool) if rng.randrange(4) else (rng.choice(names), value_of(rng))
                     for _ in range(rng.randrange(15))]


def hexed(text):
    return text.hex() or "-"


def field_lines(fields):
    return "".join(f"F {hexed(name)} {hexed(value)}\n" for name, value in fields)


def size_line(size):
    return "" if size is None else f"T {size}\n"


def bench_text():
    """The input of bench/bench_hpack.c, and where it is from."""
    known = list(stories("nghttp2"))
    lists = [[(block, fields) for _, block, fields in cases] for _, cases in known]
    lists = lists or [[(b"", fields) for _, fields in generated(seed)] for seed in range(30)]
    text = "".join("R\n" + "".join(f"{field_lines(fields)}.\n" + (f"B {block.hex()}\n" if block else "")
                                   for block, fields in cases) for cases in lists)
    return text, "nghttp2's stories" if known else "generated lists"
