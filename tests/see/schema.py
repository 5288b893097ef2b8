#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# schema.py: holds JSON and the manual against user/weir.schema.json.
#
#   schema.py NAME FILE        FILE is what $defs/NAME says, to the last field
#   schema.py NAME FILE lines  each line of it is
#   schema.py manual FILE      section JSON of the manual names the fields of each, and no others
import json
import pathlib
import re
import sys
import warnings

warnings.filterwarnings("ignore", category=DeprecationWarning)
from jsonschema import Draft202012Validator  # noqa: E402

SCHEMA = json.loads((pathlib.Path(__file__).parents[2] / "user/weir.schema.json").read_text())
DEFS = SCHEMA["$defs"]


def wrong(name, value):
    """What is wrong with the value, at most five things."""
    validator = Draft202012Validator(SCHEMA | {"$ref": "#/$defs/" + name})
    for error in list(validator.iter_errors(value))[:5]:
        deepest = error
        while deepest.context:
            deepest = max(deepest.context, key=lambda e: len(e.absolute_path))
        yield "%s: %s: %s" % (name, "/".join(map(str, deepest.absolute_path)), deepest.message[:300])


def fields(node):
    """The names of all fields below, but for those of what the manual has an entry of its own for."""
    if isinstance(node, list):
        return set().union(*map(fields, node))
    if not isinstance(node, dict):
        return set()
    found = set(node.get("properties", {}))
    for key in ("items", "anyOf", "oneOf", "additionalProperties"):
        found |= fields(node.get(key))
    for child in node.get("properties", {}).values():
        found |= fields(child)
    target = DEFS.get(node.get("$ref", "").removeprefix("#/$defs/"), {})
    return found if not target or "title" in target else found | fields(target)


def manual(path):
    """The fields that section JSON names: {title: fields}, of the entries of its outer list."""
    entries, depth, title = {}, 0, None
    section = re.search(r"^\.Sh JSON\n(.*?)^\.Sh ", pathlib.Path(path).read_text(), re.M | re.S)
    for line in section.group(1).splitlines():
        words = [w for w in line.split() if w not in (",", ";", ":", ".", "(", ")")]
        if words[:1] == [".Bl"]:
            depth += 1
        elif words[:1] == [".El"]:
            depth -= 1
        elif depth == 1 and words[:2] in ([".It", "Cm"], [".It", "Pa"]):
            title = " ".join(words[2:])
            entries[title] = set()
        elif words[:1] == [".Ic"]:
            entries[title] |= set(words[1:])
        elif words[:2] == [".It", "Ic"]:
            entries[title] |= set(words[2:])
    return entries


def manual_wrong(path):
    told, known = manual(path), {d["title"]: fields(d) for d in DEFS.values() if "title" in d}
    for title in sorted(told.keys() | known.keys()):
        for field in sorted(told.get(title, set()) ^ known.get(title, set())):
            side = "the manual" if field in told.get(title, set()) else "the schema"
            yield "%s: %s alone knows %s" % (title, side, field)
    yield from ("%s: no entry in the manual" % title for title in known.keys() - told.keys())


def main(name, path, lines=None):
    if name == "manual":
        found = list(manual_wrong(path))
    else:
        text = pathlib.Path(path).read_text()
        values = [json.loads(x) for x in (text.splitlines() if lines else [text])]
        found = [x for value in values for x in wrong(name, value)]
        if not values:
            found = ["%s: nothing there" % name]
    print(*found[:10], sep="\n")
    return bool(found)


if __name__ == "__main__":
    Draft202012Validator.check_schema(SCHEMA)
    sys.exit(main(*sys.argv[1:]))
