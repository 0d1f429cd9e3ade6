#!/usr/bin/env python3
"""Layering and size: include only downward, keep every source file under 400 lines, no cycles between folders."""
import pathlib, re, subprocess, sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
MAY_INCLUDE = {
    "engine": set(), "kernels": {"engine"}, "graph": {"engine", "kernels"}, "nets": {"engine", "kernels", "graph"},
    "io": {"engine"}, "apps": {"engine", "kernels", "graph", "nets", "io"},
}
MAY_INCLUDE["bench"] = MAY_INCLUDE["tests"] = {"engine", "kernels", "graph", "nets", "io", "apps", "tests", "bench"}
MOST_LINES = 400
SOURCES = {".h", ".cpp", ".cu", ".cuh", ".py", ".cmake", ".sh"}

def files():
    try:
        out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
        return [ROOT / name for name in out.stdout.splitlines() if (ROOT / name).is_file()]
    except (OSError, subprocess.CalledProcessError):
        return [p for p in ROOT.rglob("*") if p.is_file() and ".git" not in p.parts and not p.parts[len(ROOT.parts)].startswith("build")]

def problems(path):
    relative = path.relative_to(ROOT)
    lines = path.read_text(encoding="utf-8").splitlines()
    if len(lines) > MOST_LINES:
        yield f"{relative}: {len(lines)} lines, the limit is {MOST_LINES}: divide it"
    top = relative.parts[0]
    for number, line in enumerate(lines, 1):
        match = re.match(r'\s*#include "([^"]+)"', line)
        if not match or top not in MAY_INCLUDE:
            continue
        target = match.group(1).split("/")[0]
        if target not in MAY_INCLUDE[top] | {top} and target in MAY_INCLUDE:
            yield f"{relative}:{number}: {top} must not include {target}"
        if "/" not in match.group(1):
            yield f"{relative}:{number}: include by the path from the root"
    if path.suffix == ".h" and "#pragma once" not in lines:
        yield f"{relative}: no #pragma once"

found = [p for path in files() if path.suffix in SOURCES for p in problems(path)]
print("\n".join(found) or "lint: clean")
sys.exit(bool(found))
