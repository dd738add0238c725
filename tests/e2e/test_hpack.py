"""HPACK beside python3-hpack: what nghttp2 encoded is decoded, what we encode is decoded by the peer,
and random and damaged blocks get the same verdict and the same fields from both."""
import random
import subprocess

from checks import ROOT, check, finish
from hpack_stories import field_lines, generated, hexed, size_line, stories

import hpack


def tool(name, text, *arguments):
    result = subprocess.run([str(ROOT / "build" / name), *arguments], input=text.encode(), capture_output=True, timeout=300)
    check(result.returncode == 0, f"{name} runs", result.stderr)
    return result.stdout.decode().splitlines()


def answers(lines):
    """Per block: its fields, or None for E."""
    fields, out = [], []
    for line in lines:
        if line.startswith("F "):
            fields.append(tuple(bytes.fromhex(word.replace("-", "")) for word in line.split()[1:]))
            continue
        out.append(fields if line == "." else None)
        fields = []
    return out


class Peer:
    def __init__(self):
        self.decoder = hpack.Decoder(max_header_list_size=1 << 30)
        self.failed = False

    def resize(self, size):
        if size is None:
            return
        self.decoder.max_allowed_table_size = size

    def decode(self, block):
        if self.failed:
            return None
        try:
            return [(bytes(n), bytes(v)) for n, v in self.decoder.decode(block, raw=True)]
        except Exception:
            self.failed = True
            return None


def decode_stories():
    for kind in ("nghttp2", "nghttp2-change-table-size"):
        for name, cases in stories(kind):
            text = "".join(f"{size_line(size)}B {block.hex()}\n" for size, block, _ in cases)
            for arguments in ([], ["-s"]):
                got = answers(tool("hpack_decode", text, *arguments))
                check(got == [fields for _, _, fields in cases], f"{name} {arguments}")


def encode(name, lists):
    """Lists of (size, fields): our blocks, decoded by the peer and by us."""
    blocks = tool("hpack_encode", "".join(f"{size_line(size)}{field_lines(fields)}.\n" for size, fields in lists))
    blocks = [bytes.fromhex(line[2:]) for line in blocks]
    peer, got = Peer(), []
    for (size, _), block in zip(lists, blocks):
        peer.resize(size)
        got.append(peer.decode(block))
    wanted = [fields for _, fields in lists]
    check(got == wanted, f"{name}, decoded by the peer",
          [(a, b) for a, b in zip(got, wanted) if a != b][:1])
    text = "".join(f"{size_line(size)}B {block.hex()}\n" for (size, _), block in zip(lists, blocks))
    check(answers(tool("hpack_decode", text)) == wanted, f"{name}, decoded by us")
    return blocks


def encode_lists():
    for name, cases in stories("raw-data"):
        encode(name, [(None, fields) for _, _, fields in cases])
    for seed in range(30):
        encode(f"generated {seed}", list(generated(seed)))


def damaged(rng, block):
    block = bytearray(block)
    for _ in range(rng.randrange(1, 4)):
        kind = rng.randrange(4)
        if kind == 0 and block:
            block[rng.randrange(len(block))] ^= 1 << rng.randrange(8)
        elif kind == 1:
            block.insert(rng.randrange(len(block) + 1), rng.randrange(256))
        elif kind == 2 and block:
            del block[rng.randrange(len(block))]
        elif block:
            del block[rng.randrange(len(block)):]
    return bytes(block)


def random_block(rng):
    """A block by its grammar, with wrong numbers here and there."""
    out = bytearray()
    for _ in range(rng.randrange(8)):
        kind = rng.randrange(5)
        if kind == 0:
            out.append(0x80 | rng.choice([rng.randrange(128), rng.randrange(62, 70), 2]))
        elif kind == 1 and rng.randrange(3) == 0:
            out += bytes([0x20 | rng.randrange(31)]) if rng.randrange(2) else b"\x3f" + rng.randbytes(2)
        else:
            out.append(rng.choice([0x40, 0x00, 0x10]) | rng.choice([0, 0, rng.randrange(15)]))
            strings = 2 if out[-1] & 15 == 0 else 1
            for _ in range(strings):
                n = rng.choice([0, 1, 5, 30])
                data = rng.choice([b"a" * n, rng.randbytes(n), b"\xff" * n])
                coded = rng.randrange(3) == 0
                out += bytes([n | (0x80 if coded else 0)]) + data
    return bytes(out)


def differential():
    rng = random.Random(7541)
    seeds = [line for seed in range(8) for line in encode(f"seed {seed}", list(generated(100 + seed, 20)))]
    text, peers, total, good = [], [], 3000, 0
    for _ in range(total):
        peer = Peer()
        text.append("R\n")
        for _ in range(3):
            block = damaged(rng, rng.choice(seeds)) if rng.randrange(3) == 0 else random_block(rng)
            text.append(f"B {block.hex()}\n")
            peers.append((block, peer.decode(block)))
    for arguments in ([], ["-s"]):
        got = answers(tool("hpack_decode", "".join(text), *arguments))
        check(len(got) == len(peers), "one answer for each block")
        wrong = [(block.hex(), a, b) for a, (block, b) in zip(got, peers) if a != b]
        check(not wrong, f"{len(wrong)} blocks differ, ours then the peer's", wrong[:3])
        good = sum(a is not None for a in got)
    check(good > total // 4, "many blocks are good", good)


def protocol_of_the_tools():
    got = tool("hpack_decode", "B 80\nB 82\nR\nB 82\nB\n")
    check(got == ["E", "E", f"F {hexed(b':method')} {hexed(b'GET')}", ".", "."], "E lasts until R", got)


if __name__ == "__main__":
    protocol_of_the_tools()
    decode_stories()
    encode_lists()
    differential()
    finish()
