"""Asks `packaging`, which pip uses, about generated versions and conditions.

    python crates/repo/tests/pep440.py COUNT SEED > crates/repo/tests/pep440.tsv

Four fields a line: the question (order, allows, fits), two texts, the answer; `?` where one of them is refused.
Local parts (`1.0+cpu`) are left out of versions: the audit takes builds of one version for one version.
"""

import random
import re
import sys

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

COUNT, SEED = int(sys.argv[1]), int(sys.argv[2])
chance = random.Random(SEED)
PRE = ["a", "b", "rc", "alpha", "beta", "c", "pre", "preview"]


def number():
    return str(chance.choice([0, 0, 1, 1, 2, 3, 9, 10, 21]))


def text():
    out = number() + "!" if chance.random() < 0.05 else ""
    out += ".".join(number() for _ in range(chance.choice([1, 2, 2, 3, 3, 3, 4])))
    if chance.random() < 0.3:
        out += chance.choice(["", ".", "-", "_"]) + chance.choice(PRE)
        out += chance.choice(["", ".", "-"]) + chance.choice(["", number()])
    if chance.random() < 0.2:
        post = chance.choice([".post", "-post", "post", ".rev", "-r"]) + chance.choice(["", number()])
        out += post if chance.random() < 0.8 else "-" + number()
    if chance.random() < 0.2:
        out += chance.choice([".dev", "dev", "-dev"]) + chance.choice(["", number()])
    if chance.random() < 0.03:
        out = "v" + out
    if chance.random() < 0.02:
        out = out.upper()
    if chance.random() < 0.03:
        out += chance.choice(["x", ".x", "-", ".", " 1", "~"])
    return out


def conditions():
    found = []
    for _ in range(chance.choice([1, 1, 2, 2, 3])):
        sign = chance.choice(["==", "!=", "<", "<=", ">", ">=", "~=", "==", ">=", "<"])
        end = ".*" if sign in ("==", "!=") and chance.random() < 0.35 else ""
        found.append(sign + chance.choice(["", " "]) + text() + end)
    return chance.choice([",", ", "]).join(found)


def version(written):
    try:
        return Version(written)
    except InvalidVersion:
        return None


def specifiers(written):
    try:
        return SpecifierSet(written)
    except InvalidSpecifier:
        return None


def written_in(condition):
    return [word.replace(".*", "") for word in re.findall(r"[^<>=~, ]+", condition.replace("!=", "="))]


def order():
    one, other = text(), text()
    if chance.random() < 0.3:
        other = one + chance.choice([".0", ".post1", ".dev1", "a1", ""])
    first, second = version(one), version(other)
    if first is None or second is None:
        return one, other, "?"
    return one, other, "<" if first < second else ">" if first > second else "="


def allows():
    condition, one = conditions(), text()
    if chance.random() < 0.4 and written_in(condition):
        one = chance.choice(written_in(condition)) + chance.choice(["", "", ".0", ".1", ".post1", ".dev1", "rc1"])
    known, judged = specifiers(condition), version(one)
    if known is None or judged is None:
        return condition, one, "?"
    return condition, one, "yes" if known.contains(judged, prereleases=True) else "no"


POOL = [found for found in map(version, (text() for _ in range(2000))) if found]
TAILS = ["", ".0", ".1", ".0.1", ".0.0.0.1", ".99", ".post1", ".post99", ".dev0", ".dev1"]


def fits():
    one, other = conditions(), conditions()
    first, second = specifiers(one), specifiers(other)
    if first is None or second is None:
        return None
    near = [version(word + tail) for word in written_in(one + "," + other) for tail in TAILS]
    both = first & second
    tried = [found for found in near if found] + [Version("0.dev0")] + POOL
    return one, other, "yes" if any(both.contains(each, prereleases=True) for each in tried) else "no"


for question, ask, share in [("order", order, 4), ("allows", allows, 6), ("fits", fits, 2)]:
    for _ in range(COUNT * share // 12):
        answer = ask()
        if answer:
            print(question, *answer, sep="\t")
