#!/usr/bin/env python3
"""Documentation against the repository: in README and docs every path, subcommand, option and settings key exists, every relative link
and its anchor resolves; so do references to these pages in sources; the user guide names every subcommand, option and settings key there is, with its value in each preset.

    check_docs.py ROOT [BINARY]     BINARY: built ipamedgan, whose --help tells the options; without it, the sources of apps/
"""
import pathlib, re, subprocess, sys, tomllib

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
BINARY = sys.argv[2] if len(sys.argv) > 2 else None
PAGES = [ROOT / "README.md", ROOT / "third_party/README.md", *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = "engine|kernels|graph|nets|io|apps|bench|tests|docs|third_party|scripts"
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
FILE_ENDINGS = {"h5", "toml", "csv", "json", "nii", "html", "safetensors", "png"}

def text_of(paths):
    return "\n".join(p.read_text(encoding="utf-8") for p in paths if p.is_file())

def help_of(*arguments):
    return subprocess.run([BINARY, *arguments, "--help"], capture_output=True, text=True, check=True).stdout

def commands():
    """{subcommand: its options}"""
    if BINARY:
        names = re.findall(r"^  ([a-z][a-z-]*)  ", help_of().split("Subcommands:")[1], re.M)
        return {name: set(re.findall(r"^  (?:-\w,)?(--[a-z-]+)", help_of(name), re.M)) for name in names}
    names = re.findall(r'\{"([a-z-]+)", ipa::declare', text_of([ROOT / "apps/main.cpp"]))
    options = set(re.findall(r'"(--[a-z-]+)", ', text_of((ROOT / "apps").glob("*.cpp")))) - {"--version"} | {"--help"}
    return {name: options for name in names}

def code_of(page):
    """(line number, text) of inline code, and of the lines of code blocks, comments apart; continued lines joined."""
    fenced, pending = False, ""
    for number, line in enumerate(re.sub(r"<!--.*?-->", "", page.read_text(encoding="utf-8"), flags=re.S).splitlines(), 1):
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            pending += re.sub(r"(^|\s)#.*", "", line)
            if pending.endswith("\\"):
                pending = pending[:-1]
                continue
            yield number, pending.strip()
            pending = ""
        else:
            for code in re.findall(r"`([^`]+)`", line):
                yield number, code

def exists(name):
    pattern = re.sub(r"<[^>]*>", "*", name).rstrip("/")
    return any(ROOT.glob(pattern)) if "*" in pattern else (ROOT / pattern).exists()

def anchors(page):
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}

def link_problems(page):
    for number, line in enumerate(re.sub(r"<!--.*?-->", "", page.read_text(encoding="utf-8"), flags=re.S).splitlines(), 1):
        for target in re.findall(r"\]\(([^)\s]+)\)", line):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            goal = (page.parent / path).resolve() if path else page
            if not goal.exists():
                yield number, f"the link {target} leads nowhere"
            elif anchor and anchor not in anchors(goal):
                yield number, f"{goal.name} has no heading #{anchor}"

def command_problems(code, known):
    for subcommand, rest in re.findall(r"(?:^|\s)(?:\S*/)?ipamedgan +([a-z][a-z-]*)([^\n|`]*)", code):
        if subcommand not in known:
            yield f"there is no subcommand {subcommand}"
        else:
            yield from (f"{subcommand} has no option {o}" for o in OPTION.findall(rest) if o not in known[subcommand])

def problems(page, known, other_options, keys):
    yield from link_problems(page)
    every_option = set().union(*known.values()) | other_options
    for number, code in code_of(page):
        for name in re.findall(rf"(?<![\w./$<-])((?:{FOLDERS})/[\w./*<>-]*)", code):
            if not exists(name):
                yield number, f"there is no {name}"
        yield from ((number, text) for text in command_problems(code, known))
        yield from ((number, f"no option is called {o}") for o in OPTION.findall(code) if o not in every_option)
        for key in re.findall(r"(?<![\w./-])((?:net|data|train|loss|checkpoint|validate)\.[a-z][a-z0-9_]*)(?![\w(])", code):
            if key not in keys and key.split(".")[1] not in FILE_ENDINGS:
                yield number, f"there is no setting {key}"

def gaps(known, keys):
    guide = ROOT / "docs/user_guide.md"
    text = guide.read_text(encoding="utf-8")
    words, heads = set(OPTION.findall(text)), " ".join(re.findall(r"^### (.+)$", text, re.M)).split()
    yield from (f"no section on {name}" for name in known if name not in heads)
    yield from (f"option {o} of {name} is not explained" for name in known for o in sorted(known[name] - words))
    yield from (f"setting {key} is not explained" for key in sorted(keys) if f"`{key}`" not in text)

def reference_problems():
    """`docs/PAGE.md, "Heading"` in the comments of sources."""
    sources = (p for folder in FOLDERS.split("|") for p in (ROOT / folder).rglob("*") if p.suffix in {".h", ".cpp", ".cu", ".cuh", ".toml"})
    for path in sources:
        comments = re.sub(r"\n\s*(?://|#)\s*", " ", path.read_text(encoding="utf-8"))
        for page, heading in re.findall(r'docs/(\w+\.md)(?:,? \\?"([\w -]+)\\?")?', comments):
            goal = ROOT / "docs" / page
            if not goal.exists() or heading and heading.lower().replace(" ", "-") not in anchors(goal):
                yield f"{path.relative_to(ROOT)}: docs/{page} has no heading {heading}" if goal.exists() else f"{path.relative_to(ROOT)}: no docs/{page}"

def preset_problems():
    """The columns of the guide's table of settings that are headed by a preset's name."""
    rows = [[cell.strip().strip("`") for cell in line.split("|")[1:-1]]
            for line in (ROOT / "docs/user_guide.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    presets = {path.stem: tomllib.loads(path.read_text()) for path in (ROOT / "apps/presets").glob("*.toml")}
    head = next(row for row in rows if row[0] == "key")
    for row in rows:
        table, _, key = row[0].partition(".")
        for name, preset in presets.items():
            if table not in presets["paper"] or key not in presets["paper"][table]:
                continue
            value = preset.get(table, {}).get(key, presets["paper"][table][key])
            shown = row[head.index(name)]
            if str(value).lower() != shown and not (type(value) in (int, float) and float(shown) == value):
                yield f"{row[0]} of preset {name} is {value}, not {shown}"

known = commands()
keys = set(re.findall(r'\{"([a-z]+\.[a-z0-9_]+)"', text_of([ROOT / "apps/settings_keys.cpp"])))
tools = [*(ROOT / "scripts").iterdir(), *(ROOT / "bench").glob("*.cpp"), *(ROOT / "tests/golden").glob("*.py")]
other_options = set(OPTION.findall(text_of(tools))) | {"--build", "--install", "--prefix", "--component", "--preset", "--version", "--logdir"}
other_options |= {"--no", "--nproc", "--nnodes", "--rdzv", "--nodes", "--ntasks-per-node", "--map-by"}  # of torchrun (--no_python, --nproc_per_node) srun and mpirun
found = [f"{page.relative_to(ROOT)}:{number}: {text}" for page in PAGES for number, text in problems(page, known, other_options, keys)]
found += [f"docs/user_guide.md: {text}" for text in [*gaps(known, keys), *preset_problems()]]
found += reference_problems()
print("\n".join(found) or f"docs: {len(PAGES)} pages agree with {len(known)} subcommands and {len(keys)} settings")
sys.exit(bool(found))
