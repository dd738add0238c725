#!/usr/bin/env python3
"""Compare turbohttp_inflate with zlib, stream by stream, through build/inflate_batch.

    tests/e2e/inflate_diff.py [path/to/inflate_batch] [count]

The verdict and the output must be the same: of good streams (every level, strategy, window size
and memory level; sizes from 0 to 200000; flushes; several gzip members with every header field), of
truncated ones, of ones with bytes behind them, and of corrupt ones. Chunks run from 1 to 255 bytes,
or all at once. The seed is fixed. Closes with `N passed, N failed`.
"""
import random
import struct
import subprocess
import sys
import threading
import zlib

WBITS = {"g": 31, "z": 15, "r": -15}
BATCH = 64


def text_of(rng, size):
    kind = rng.randrange(7)
    if kind == 0:
        return bytes(rng.getrandbits(8) for _ in range(min(size, 4000))) * (size // 4000 + 1)
    if kind == 1:
        return bytes([rng.randrange(256)]) * size
    if kind == 2:
        period = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 40)))
        return period * (size // len(period) + 1)
    if kind == 3:
        return bytes(rng.choice(b"ab") for _ in range(size))
    if kind == 4:  # a skewed alphabet makes long codes, and so sub-tables
        return bytes(min(255, int(rng.expovariate(0.04))) for _ in range(size))
    if kind == 5:  # matches that reach far back
        piece = rng.randbytes(rng.randrange(10, 300))
        return b"".join(piece + rng.randbytes(rng.randrange(1, 33000)) for _ in range(size // 16000 + 1))
    words = [bytes(rng.choice(b"etaoinshrdlu") for _ in range(rng.randrange(2, 9))) for _ in range(300)]
    return b" ".join(rng.choice(words) for _ in range(size // 5 + 1))


def size_of(rng):
    return rng.choice([rng.randrange(0, 20), rng.randrange(0, 600), rng.randrange(0, 5000),
                       rng.randrange(0, 70000), rng.randrange(0, 200001)])


def gzip_header(rng):
    flags = rng.randrange(32)
    head = b"\x1f\x8b\x08" + bytes([flags]) + rng.randbytes(6)
    if flags & 4:
        extra = rng.randbytes(rng.choice([0, 5, 300, 65535]))
        head += struct.pack("<H", len(extra)) + extra
    for flag in (8, 16):
        if flags & flag:
            head += bytes(rng.randrange(1, 256) for _ in range(rng.choice([0, 7, 400]))) + b"\0"
    if flags & 2:
        head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    return head


def compress_raw(rng, data, wbits):
    strategy = rng.choice([zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED])
    c = zlib.compressobj(rng.randrange(10), zlib.DEFLATED, wbits, rng.randrange(1, 10), strategy)
    out, at = b"", 0
    while at < len(data):
        step = rng.choice([len(data), rng.randrange(1, len(data) + 1)])
        out += c.compress(data[at:at + step])
        at += step
        if rng.randrange(3) == 0:
            out += c.flush(rng.choice([zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH]))
    return out + c.flush()


def good(rng, form):
    window = rng.randrange(9, 16)
    if form != "g":
        return compress_raw(rng, text_of(rng, size_of(rng))[:200000], window if form == "z" else -window)
    stream = b""
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        data = text_of(rng, size_of(rng))[:200000]
        stream += gzip_header(rng) + compress_raw(rng, data, -window)
        stream += struct.pack("<II", zlib.crc32(data), len(data))
    return stream


def synthetic(rng):
    """Bits that look like the head of a block: reaches the odd corners of the code sets."""
    head = rng.choice([0b101, 0b100, 0b011, 0b010, 0b001, 0b111])
    tail = int.from_bytes(rng.randbytes(rng.randrange(1, 120)), "little")
    if rng.randrange(2):  # few code lengths, mostly small: a fair chance to be a complete set
        tail = 0
        for i in range(rng.randrange(4, 80)):
            tail |= rng.choice([0, 0, 0, 1, 2, 2, 3, 4]) << (14 + 3 * i)
        tail |= rng.randrange(1 << 14)
    return (tail << 3 | head).to_bytes((tail.bit_length() + 10) // 8, "little")


def spoil(rng, stream):
    kind = rng.randrange(4)
    if kind == 0:
        return stream[:rng.randrange(len(stream) + 1)]
    if kind == 1:
        return stream + rng.choice([b"\0", b"\x1f", b"\x1f\x8b", rng.randbytes(5)])
    changed = bytearray(stream)
    end = min(len(changed), rng.choice([20, 200, len(changed)]))
    for _ in range(rng.choice([1, 1, 2, 10])):
        if end:
            changed[rng.randrange(end)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def by_zlib(form, stream):
    out, rest, status = b"", stream, 0
    while True:
        d = zlib.decompressobj(WBITS[form])
        try:
            for i in range(0, len(rest), 1 << 14) if len(rest) > 1 << 14 else [0]:
                piece = rest[i:i + (1 << 14)] if len(rest) > 1 << 14 else rest
                out += d.decompress(piece)
                if d.eof:
                    rest = d.unused_data + rest[i + len(piece):]
                    break
        except zlib.error:
            return 1, None if len(stream) > 3000 else by_bytes(form, stream)
        if not d.eof:
            return 1, out
        if not rest:
            return 0, out
        if form != "g":
            return 1, out


def by_bytes(form, stream):
    """Everything zlib puts out before the error: fed bytewise, nothing is lost but the last byte's."""
    out, rest = b"", stream
    while rest:
        d = zlib.decompressobj(WBITS[form])
        try:
            for i in range(len(rest)):
                out += d.decompress(rest[i:i + 1])
                if d.eof:
                    break
        except zlib.error:
            return out
        rest = rest[i + 1:]
        if form != "g":
            break
    return out


def agrees(expected, actual):
    if expected[0] != actual[0]:
        return False
    if expected[1] is None:
        return True
    if expected[0] == 0:
        return expected[1] == actual[1]
    # zlib's output stops at the byte before the fault; the fault's byte may still hold good symbols
    return actual[1].startswith(expected[1]) and len(actual[1]) - len(expected[1]) <= 3 * 258


def case(rng, number):
    form = rng.choice("gzr")
    kind = number % 5
    if kind == 4:
        form, stream = "r", synthetic(rng)
    else:
        stream = good(rng, form)
        if kind >= 2:
            stream = spoil(rng, stream)
    chunk = rng.choice([0, 0, 1, 2, 3, 7, 255, rng.randrange(1, 256)])
    return form, chunk, stream


def run_batch(tool, cases):
    def feed():
        for form, chunk, stream in cases:
            tool.stdin.write(struct.pack(">I", len(stream)) + form.encode() + bytes([chunk]) + stream)
        tool.stdin.flush()
    feeder = threading.Thread(target=feed)
    feeder.start()
    answers = []
    for _ in cases:
        status, length = struct.unpack(">BI", tool.stdout.read(5))
        answers.append((status, tool.stdout.read(length)))
    feeder.join()
    return answers


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else "build/inflate_batch"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 3000
    rng = random.Random(1951)
    passed = failed = 0
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as tool:
        for start in range(0, count, BATCH):
            cases = [case(rng, n) for n in range(start, min(count, start + BATCH))]
            for (form, chunk, stream), actual in zip(cases, run_batch(tool, cases)):
                expected = by_zlib(form, stream)
                if agrees(expected, actual):
                    passed += 1
                    continue
                failed += 1
                print(f"FAILED format {form}, chunk {chunk}, {len(stream)} bytes {stream[:60].hex()}: "
                      f"status {actual[0]} with {len(actual[1])} bytes, zlib says {expected[0]}"
                      + (f" with {len(expected[1])} bytes" if expected[1] is not None else ""))
        tool.stdin.close()
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
