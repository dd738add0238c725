"""amalgamate.py refuses what it must, and says what, why and how to mend it."""
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
results = {"passed": 0, "failed": 0}


def check(name, change, expected, arguments=("--check",)):
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        shutil.copytree(ROOT / "src", copy / "src")
        for name_ in ("amalgamate.py", "turbohttp.h", "LICENSE"):
            shutil.copy(ROOT / name_, copy / name_)
        change(copy)
        run = subprocess.run([sys.executable, copy / "amalgamate.py", *arguments], capture_output=True, text=True)
    said = run.stdout + run.stderr
    good = run.returncode != 0 and expected in said and "why:" in said and "mend:" in said
    results["passed" if good else "failed"] += 1
    if not good:
        print(f"FAILED {name}: exit {run.returncode}: {said}")


def edit(name, old, new):
    def change(copy):
        path = copy / "src" / name
        text = path.read_text()
        assert old in text, (name, old)
        path.write_text(text.replace(old, new, 1))
    return change


check("stale header", edit("base/bytes.c", "Owns nothing", "Owns little"), "turbohttp.h is stale")
check("later layer", edit("base/bytes.h", '#include "config.h"', '#include "config.h"\n#include "../client/internal.h"'),
      "which comes later")
check("system header before io", edit("base/bytes.c", '#include "bytes.h"', '#include "bytes.h"\n#include <stdio.h>'),
      "includes <stdio.h>")
check("heap before io", edit("base/bytes.c", "tbh_wipe(void *p, size_t n) {", "tbh_wipe(void *p, size_t n) {\n    malloc(n);"),
      "uses malloc")
check("not in the manifest", lambda copy: (copy / "src/base/stray.c").write_text("int tbh_stray;\n"), "not in the manifest")
check("missing file", lambda copy: (copy / "src/base/errors.c").unlink(), "does not exist")
check("order of layers", edit("manifest.txt", "impl base/config.h", "impl client/blocking.c\nimpl base/config.h"), "stands after")
check("symbol without docs", edit("api/errors.h", "/**\n * Name a phase", "/*\n */\nint x;\n/**\n * Name a phase"), "stale")
check("undocumented function",
      edit("api/core.h", "/** Read-only bytes", "TURBOHTTP_API int turbohttp_bare(void);\n/** Read-only bytes"), "no doc comment")
check("unknown feature", lambda copy: None, "no such feature", ("--without", "teleport", "-o", "x.h"))
check("bad prefix", lambda copy: None, "not usable", ("--prefix", "9lives", "-o", "x.h"))
check("change needs a place", lambda copy: None, "needs a place of its own", ("--prefix", "game"))
print(f"{results['passed']} passed, {results['failed']} failed")
sys.exit(results["failed"] != 0)
