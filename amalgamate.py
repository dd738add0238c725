#!/usr/bin/env python3
"""Compose turbohttp.h from src/ in the order of src/manifest.txt.

    ./amalgamate.py                      write turbohttp.h
    ./amalgamate.py --check              fail on stale headers, layer breaks, missing files or docs
    ./amalgamate.py --without FEATURE    leave a feature's files out (needs -o)
    ./amalgamate.py --prefix NAME        rename every turbohttp_/TURBOHTTP_ symbol (needs -o)

A manifest line is `section file [FEATURE,…]`: section `api` goes into the declarations, `impl`
behind the activation macro; each FEATURE names a switch TURBOHTTP_NO_<FEATURE> that removes the file.
"""
import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
SRC = ROOT / "src"
LAYERS = ["api", "base", "memory", "format", "codec", "engine", "io", "client", "testkit", "tls_bearssl"]
SECTIONS = ("api", "impl", "tls-api", "tls-impl")
BANNED_BEFORE_IO = re.compile(r"\b(malloc|calloc|realloc|free|time|rand|srand|printf|fprintf|errno)\s*\(|\berrno\b")
SYSTEM_BEFORE_IO = {"string.h", "stddef.h", "stdint.h", "stdbool.h", "limits.h",
                    "emmintrin.h", "immintrin.h", "arm_neon.h", "intrin.h", "stdatomic.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
RULE = "/* " + "=" * 72


class Entry:
    def __init__(self, section, name, features, number):
        self.section, self.name, self.features, self.number = section, name, features, number
        self.path = SRC / name
        self.layer = name.split("/")[0]


def fail(problems):
    for what, why, mend in problems:
        print(f"amalgamate: {what}\n  why:  {why}\n  mend: {mend}", file=sys.stderr)
    print(f"amalgamate: {len(problems)} problem(s)", file=sys.stderr)
    sys.exit(1)


def read_manifest():
    entries = []
    for number, line in enumerate((SRC / "manifest.txt").read_text().splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) not in (2, 3) or words[0] not in SECTIONS:
            fail([(f"src/manifest.txt:{number}: cannot read `{line}`",
                   f"a line is `{'|'.join(SECTIONS)} file [FEATURE,...]`", "edit that line")])
        entries.append(Entry(words[0], words[1], words[2].split(",") if len(words) == 3 else [], number))
    missing = [e for e in entries if not e.path.is_file()]
    if missing:
        fail([(f"src/manifest.txt:{e.number}: {e.name} does not exist", "the manifest lists every file",
               f"create src/{e.name}, or remove the line") for e in missing])
    return entries


def strip_comments(text):
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', re.sub(r"//[^\n]*", "", text))


# ------------------------------------------------------------------ composing
def body_of(entry, system_includes):
    """The file's text without its own includes; system includes are collected when asked for."""
    lines = []
    for line in entry.path.read_text().splitlines():
        include = INCLUDE.match(line)
        if line.startswith("#pragma once") or (include and include.group(1) == '"'):
            continue
        if include and system_includes is not None and include.group(2) in system_includes:
            continue
        lines.append(line)
    return "\n".join(lines).strip("\n")


def section_text(entries, section):
    parts = []
    for e in (e for e in entries if e.section == section):
        text = body_of(e, {"stdbool.h", "stddef.h", "stdint.h"} if section == "api" else None)
        if section.endswith("impl"):
            text = f"{RULE}\n * src/{e.name}\n * {'=' * 71} */\n{text}"
        if e.features:
            gate = " && ".join(f"!defined(TURBOHTTP_NO_{f})" for f in e.features)
            text = f"#if {gate}\n{text}\n#endif /* {gate} */"
        parts.append(text)
    return "\n\n".join(parts)


def private_macros(entries, sections=("api", "impl")):
    names = set()
    for e in (e for e in entries if e.section in sections):
        names.update(re.findall(r"^\s*#\s*define\s+(TBH_\w+|tbh_\w+)", e.path.read_text(), re.M))
    return sorted(names)


def license_comment():
    lines = (ROOT / "LICENSE").read_text().strip().splitlines()
    return "/*\n" + "\n".join((" * " + line).rstrip() for line in lines) + "\n */\n"


def compose(entries, without=()):
    manual = next(e for e in entries if e.name == "api/manual.h")
    rest = [e for e in entries if e is not manual and not e.section.startswith("tls-")]
    switches = "".join(f"#ifndef TURBOHTTP_NO_{f}\n#define TURBOHTTP_NO_{f}\n#endif\n" for f in without)
    return "\n".join([
        body_of(manual, None),
        "",
        "#ifndef TURBOHTTP_H",
        "#define TURBOHTTP_H",
        switches + "#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n",
        "#ifdef __cplusplus\nextern \"C\" {\n#endif\n",
        section_text(rest, "api"),
        "\n#ifdef __cplusplus\n} /* extern \"C\" */\n#endif\n",
        "#endif /* TURBOHTTP_H */\n",
        "#if defined(TURBOHTTP_IMPLEMENTATION) && !defined(TURBOHTTP_IMPLEMENTED)",
        "#define TURBOHTTP_IMPLEMENTED",
        "#define TBH_AMALGAM 1",
        section_text(rest, "impl"),
        "",
        "\n".join(f"#undef {m}" for m in private_macros(entries) + ["TBH_AMALGAM"]),
        "#endif /* TURBOHTTP_IMPLEMENTATION */",
        "",
        license_comment(),
    ])


def compose_tls(entries):
    """The second header: only the public part of the first one is used."""
    manual, *rest = (e for e in entries if e.section == "tls-api")
    return "\n".join([
        body_of(manual, None),
        "\n#ifndef TURBOHTTP_TLS_BEARSSL_H",
        "#define TURBOHTTP_TLS_BEARSSL_H",
        "#endif",
        "#include \"turbohttp.h\"\n",
        "#ifndef TURBOHTTP_TLS_BEARSSL_DECLARED",
        "#define TURBOHTTP_TLS_BEARSSL_DECLARED",
        "\n\n".join(body_of(e, None) for e in rest),
        "#endif\n",
        "#if defined(TURBOHTTP_IMPLEMENTATION) && !defined(TURBOHTTP_TLS_BEARSSL_IMPLEMENTED)",
        "#define TURBOHTTP_TLS_BEARSSL_IMPLEMENTED",
        "#define TBH_BEAR_AMALGAM 1",
        section_text(entries, "tls-impl"),
        "",
        "\n".join(f"#undef {m}" for m in private_macros(entries, ("tls-impl",)) + ["TBH_BEAR_AMALGAM"]),
        "#endif /* TURBOHTTP_IMPLEMENTATION */",
        "",
        license_comment(),
    ])


def with_prefix(text, prefix):
    text = re.sub(r"\bturbohttp_", prefix + "_", text)
    text = re.sub(r"\bTURBOHTTP_", prefix.upper() + "_", text)
    return re.sub(r"\btbh_", prefix + "_tbh_", re.sub(r"\bTBH_", prefix.upper() + "_TBH_", text))


# ------------------------------------------------------------------ BearSSL's sources in the same file
def flatten(path, folders, seen):
    """A header with its own headers in it, each once; system headers stay."""
    lines = []
    for line in path.read_text().splitlines():
        include = INCLUDE.match(line)
        found = [f / include.group(2) for f in folders if (f / include.group(2)).is_file()] if include else []
        if not found:
            lines.append(line)
        elif found[0] not in seen:
            seen.add(found[0])
            lines += flatten(found[0], folders, seen)
    return lines


def file_level(text):
    """The source without comments, strings, preprocessor lines and everything inside braces."""
    text = re.sub(r"(?m)^[ \t]*#(?:.*\\\n)*.*$", "", strip_comments(text))
    out, depth = [], 0
    for c in text:
        depth -= c == "}"
        if depth == 0:
            out.append(c)
        depth += c == "{"
    return "".join(out)


def private_names(text):
    """What a .c file of BearSSL declares for itself: static functions and tables, types."""
    names, flat = set(), file_level(text)
    for declaration in re.findall(r"\bstatic\b([^;={(\[]*)", flat):
        words = re.findall(r"\w+", declaration)
        names.update(words[-1:])
    names.update(re.findall(r"\}\s*(\w+)\s*;", flat))
    names.update(re.findall(r"\b(?:struct|union|enum)\s+(\w+)\s*\{", flat))
    return sorted(n for n in names if not n.startswith("BR_") and n not in ("inline", "const", "void"))


def bearssl_unit(path, number):
    """One source file, its private names made unique and its macros forgotten."""
    text = path.read_text()
    macros = sorted(set(re.findall(r"(?m)^\s*#\s*define\s+(\w+)", text)) - {"BR_ENABLE_INTRINSICS"})
    names = [n for n in private_names(text) if n not in macros]
    body = [line for line in text.splitlines()
            if not (INCLUDE.match(line) and INCLUDE.match(line).group(1) == '"') and "define BR_ENABLE_INTRINSICS" not in line]
    return "\n".join([f"/* {path.name} */", *(f"#define {n} {n}__{number}" for n in names), *body,
                      *(f"#undef {n}" for n in names + macros)])


def compose_with_bearssl(entries, tree):
    """Everything in one C file, for those who have BearSSL's sources and no library."""
    sources = sorted((tree / "src").rglob("*.c"))
    if not sources or not (tree / "inc/bearssl.h").is_file():
        fail([(f"--bearssl {tree}: not BearSSL's source tree", "it must have inc/bearssl.h and src/**/*.c",
               "unpack the release, or run: apt-get source bearssl")])
    seen = {tree / "inc/bearssl.h"}
    public = flatten(tree / "inc/bearssl.h", [tree / "inc"], seen)
    inner = flatten(tree / "src/inner.h", [tree / "inc", tree / "src"], seen)
    second = re.sub(r"(?m)^#include [<\"](bearssl|turbohttp)\.h[>\"]$", "", compose_tls(entries))
    return "\n".join([
        "/* TurboHTTP and BearSSL in one file: compile it, and include turbohttp.h elsewhere. Both are under",
        " * the MIT license: see the texts below. */",
        "#define TURBOHTTP_IMPLEMENTATION",
        compose(entries), "/* ==== BearSSL, its public part */", *public, second,
        "/* ==== BearSSL */", "#define BR_ENABLE_INTRINSICS 1", *inner,
        *(bearssl_unit(path, i) for i, path in enumerate(sources)), ""])


# ------------------------------------------------------------------ checks
def check_includes(entry, order):
    problems = []
    here = f"src/{entry.name}"
    for number, line in enumerate(entry.path.read_text().splitlines(), 1):
        include = INCLUDE.match(line)
        if not include:
            continue
        kind, target = include.groups()
        if kind == "<":
            if LAYERS.index(entry.layer) < LAYERS.index("io") and target not in SYSTEM_BEFORE_IO:
                problems.append((f"{here}:{number}: includes <{target}>", "only io/ and later may see the system",
                                 "move the code that needs it to src/io/os_*.c"))
            continue
        path = (entry.path.parent / target).resolve()
        name = path.relative_to(SRC).as_posix() if path.is_relative_to(SRC) else target
        if entry.layer == "tls_bearssl" and name.split("/")[0] not in ("api", "tls_bearssl"):
            problems.append((f"{here}:{number}: includes {name}", "the second header uses only the public API",
                             "use what src/api/ declares, or write it in src/tls_bearssl/"))
        if name not in order:
            problems.append((f"{here}:{number}: includes \"{target}\", which the manifest lacks",
                             "the amalgam is composed from the manifest alone", "add it to src/manifest.txt"))
        elif order[name] > order[entry.name]:
            problems.append((f"{here}:{number}: includes {name}, which comes later",
                             "layers go one way: " + " < ".join(LAYERS),
                             "move the shared part to an earlier folder, or the line in src/manifest.txt"))
    return problems


def check_banned(entry):
    may_call = entry.layer == "api" or entry.layer in ("io", "client", "testkit")
    if may_call:
        return []
    problems = []
    for number, line in enumerate(strip_comments(entry.path.read_text()).splitlines(), 1):
        word = BANNED_BEFORE_IO.search(line)
        if word and not line.lstrip().startswith("#"):
            problems.append((f"src/{entry.name}:{number}: uses {word.group().strip('( ')}",
                             "layers before io/ have no system, clock, heap or output",
                             "take it as a parameter or a hook"))
    return problems


def check_docs(entry):
    """Every public function, type and macro has a doc comment right before it, or behind it."""
    problems, lines = [], entry.path.read_text().splitlines()
    starts = re.compile(r"^(TURBOHTTP_API .*?\b(turbohttp_\w+)\s*\(|typedef (?:struct|enum|union) (turbohttp_\w+)"
                        r"|#\s*define (TURBOHTTP_\w+)|typedef .*?\(\*(turbohttp_\w+)\))")
    for i, line in enumerate(lines):
        found = starts.match(line)
        if not found:
            continue
        j = i - 1
        while j >= 0 and lines[j].startswith("#"):
            j -= 1
        documented = (j >= 0 and lines[j].rstrip().endswith("*/")) or "/**<" in line
        if not documented:
            name = next(g for g in found.groups()[1:] if g)
            problems.append((f"src/{entry.name}:{i + 1}: {name} has no doc comment",
                             "the header is its own manual", "write /** … */ on the line before it"))
    return problems


def check_tree(entries):
    problems = []
    order = {e.name: i for i, e in enumerate(entries)}
    listed = set(order)
    for path in sorted(SRC.rglob("*.[ch]")):
        name = path.relative_to(SRC).as_posix()
        if name not in listed:
            problems.append((f"src/{name} is not in the manifest", "the amalgam would lack it",
                             "add a line `impl " + name + "` to src/manifest.txt"))
    for a, b in zip(entries, entries[1:]):
        if LAYERS.index(a.layer) > LAYERS.index(b.layer):
            problems.append((f"src/manifest.txt:{b.number}: {b.name} stands after {a.name}",
                             "the manifest follows the layers " + " < ".join(LAYERS), "move the line up"))
    for e in entries:
        problems += check_includes(e, order) + check_banned(e)
        if e.section.endswith("api"):
            problems += check_docs(e)
    return problems


def check(entries):
    problems = check_tree(entries)
    for name, text in (("turbohttp.h", compose(entries)), ("turbohttp_tls_bearssl.h", compose_tls(entries))):
        target = ROOT / name
        if not target.exists() or target.read_text() != text:
            problems.append((f"{name} is stale", "it differs from what src/ composes to (it is never edited by hand)",
                             f"./amalgamate.py && git add {name}"))
    if problems:
        fail(problems)
    print(f"amalgamate: {len(entries)} files, both headers are up to date")


def drop_features(entries, names):
    known = sorted({f for e in entries for f in e.features})
    wanted = [n.upper().replace("-", "_") for n in names]
    for n in wanted:
        if n not in known:
            fail([(f"--without {n}: no such feature", "features are the third column of src/manifest.txt",
                   "use one of: " + ", ".join(known))])
    return [e for e in entries if not set(e.features) & set(wanted)], wanted


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="verify only; write nothing")
    parser.add_argument("--without", action="append", default=[], metavar="FEATURE", help="leave a feature out")
    parser.add_argument("--prefix", metavar="NAME", help="rename every public and private symbol")
    parser.add_argument("--bearssl", metavar="DIR", type=Path,
                        help="BearSSL's source tree: write both headers and it into one C file (needs -o)")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write (default turbohttp.h)")
    options = parser.parse_args()
    entries = read_manifest()
    if options.check:
        return check(entries)
    if (options.without or options.prefix or options.bearssl) and not options.output:
        fail([("a changed header needs a place of its own", "turbohttp.h is always the whole, unrenamed one",
               "add -o FILE")])
    if options.prefix and not re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", options.prefix):
        fail([(f"--prefix {options.prefix}: not usable", "it becomes the start of C names, in lower and upper case",
               "use lower-case letters, digits and inner underscores, such as `mygame_http`")])
    entries, without = drop_features(entries, options.without)
    text = compose_with_bearssl(entries, options.bearssl) if options.bearssl else compose(entries, without)
    if options.prefix:
        text = with_prefix(text, options.prefix)
    output = Path(options.output) if options.output else ROOT / "turbohttp.h"
    output.write_text(text)
    if not options.output:
        (ROOT / "turbohttp_tls_bearssl.h").write_text(compose_tls(entries))
    print(f"amalgamate: wrote {output} ({text.count(chr(10))} lines)")


if __name__ == "__main__":
    main()
