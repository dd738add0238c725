"""The README's program is the example's, and every file that it links to exists."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
readme = (ROOT / "README.md").read_text()
example = (ROOT / "examples/01_get.c").read_text()
program = re.search(r"```c\n(.*?)```", readme, re.S).group(1)
failed = []
if program.strip() != re.sub(r"^/\*.*?\*/\n", "", example, flags=re.S).strip():
    failed.append("the first program differs from examples/01_get.c")
failed += [f"{link} does not exist" for link in re.findall(r"\]\(([^)#]+)\)", readme) if not (ROOT / link).exists()]
for path in sorted((ROOT / "examples").glob("0*.c")):
    if len(path.read_text().splitlines()) >= 120:
        failed.append(f"{path.name} has 120 lines or more")
    if path.name not in readme:
        failed.append(f"{path.name} is not in the README")
print("\n".join(failed))
print(f"{0 if failed else 1} passed, {len(failed)} failed")
sys.exit(bool(failed))
