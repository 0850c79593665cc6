#!/usr/bin/env python3
"""Which tests hold which rule of docs/rules.md. A test names its rules in the comment above it:

    /* Rule 7: a verb is no segment. */        # Rules 6, 7 and 8.
    static void finds(void **state)            def test_requests(http):

A script that is a test of its own (tests/conformance/run) names them anywhere.

usage: check_rules.py [--list] [FOLDER]   says what is wrong, or (--list) which tests each rule has
"""
import re
import sys
from pathlib import Path

RULE = re.compile(r"(\d+)\. \*\*")
NAMED = re.compile(r"\s*(?:#|/\*) Rules? (\d+(?:(?:, | and |, and )\d+)*)[.:]")
TEST = re.compile(r"def (test_\w+)\(|static void (\w+)\(void \*\*\w+\)")


def rules_of(text):
    return [int(match.group(1)) for match in map(RULE.match, text.splitlines()) if match]


def test_below(lines, start):
    """The test that a comment belongs to: only more of it and decorators stand between, no empty line."""
    for line in lines[start:]:
        if not line.strip():
            return None
        match = TEST.match(line)
        if match:
            return match.group(1) or match.group(2)
    return None


def names_in(path):
    """(line number, rules, test or None) of each comment in a file that names rules."""
    lines = path.read_text(errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        match = NAMED.match(line)
        if match:
            test = test_below(lines, number) if path.suffix else ""
            yield number, [int(rule) for rule in re.findall(r"\d+", match.group(1))], test


def test_files(top):
    return [path for path in sorted((top / "tests").rglob("*"))
            if path.is_file() and (path.suffix in (".c", ".h", ".py") or path.name == "run")]


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--list"]
    top = Path(arguments[0] if arguments else Path(__file__).resolve().parents[1])
    rules = rules_of((top / "docs/rules.md").read_text())
    tests, problems = {rule: [] for rule in rules}, []
    if len(tests) != len(rules):
        problems.append("docs/rules.md: a number is there twice")
    for path in test_files(top):
        name = path.relative_to(top)
        for number, named, test in names_in(path):
            if test is None:
                problems.append(f"{name}:{number}: no test stands below")
            for rule in named:
                if rule not in tests:
                    problems.append(f"{name}:{number}: docs/rules.md has no rule {rule}")
                elif test is not None:
                    tests[rule].append(f"{name}::{test}" if test else str(name))
    problems += [f"docs/rules.md: no test names rule {rule}" for rule in rules if not tests[rule]]
    if "--list" in sys.argv:
        for rule in rules:
            print(f"{rule}.", *tests[rule], sep="\n    ")
    print("\n".join(problems), end="\n" if problems else "", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
