"""Makes schemas.zip anew: which properties each resource type has, and what `Fn::GetAtt` gives of it.

Run by the Python of cfn-lint (https://github.com/aws-cloudformation/cfn-lint, MIT-0), whose package has the resource
schemas that AWS publishes: `python make.py FILE`.

One entry a service ("DynamoDB.json" of the AWS's): {type: {"attributes": [name], "objects": {name: {property: name}}}}. An
object's name is that of its definition; "" is the resource's own. A property whose value is an object, or a list of such,
has its name; others have null. What may have names that no schema says is no object here.
"""

import json
import sys
import zipfile
from pathlib import Path

import cfnlint

SCHEMAS = Path(cfnlint.__file__).parent / "data" / "schemas"
SAME_FOR_ALL = (1980, 1, 1, 0, 0, 0)


class Type:
    def __init__(self, schema):
        self.schema = schema
        self.objects = {}

    def resolved(self, node):
        """The definition behind references, and its name."""
        name = None
        for _ in range(16):
            reference = node.get("$ref")
            if not reference:
                break
            name = reference.removeprefix("#/definitions/").removeprefix("#/")
            found = self.schema
            for part in reference.removeprefix("#/").split("/"):
                found = found.get(part, {})
            node = found
        return node, name

    def properties(self, node, depth=0):
        """All that a schema and its alternatives name; none if others are allowed."""
        found = dict(node.get("properties", {}))
        for key in ("allOf", "anyOf", "oneOf"):
            for part in node.get(key, []):
                part, _ = self.resolved(part)
                if depth < 4:
                    found = {**(self.properties(part, depth + 1) or {}), **found}
        return found

    def object(self, node, path):
        """The name of the object that a value is, or that the entries of a list are."""
        for _ in range(16):
            node, name = self.resolved(node)
            path = name or path
            if "items" in node and isinstance(node["items"], dict):
                node, path = node["items"], path + "[]"
            else:
                break
        if not self.is_closed(node):
            return None
        self.add(path, node)
        return path

    @staticmethod
    def is_closed(node):
        is_named = node.get("additionalProperties") is False and not node.get("patternProperties")
        return is_named and bool(node.get("properties"))

    def add(self, path, node):
        if path in self.objects:
            return
        self.objects[path] = entries = {}
        for name, value in sorted(self.properties(node).items()):
            entries[name] = self.object(value, f"{path}.{name}") if isinstance(value, dict) else None

    def described(self):
        if self.is_closed(self.schema):
            self.add("", self.schema)
        attributes = (path.removeprefix("/properties/") for path in self.schema.get("readOnlyProperties", []))
        return {
            "attributes": sorted({path.replace("/", ".") for path in attributes if "*" not in path}),
            "objects": self.objects,
        }


def main(target):
    kinds = {}
    for region in sorted((SCHEMAS / "providers").glob("*.json")):
        for kind, file in json.loads(region.read_text()).items():
            # The same type may lack something in a region.
            kinds.setdefault(kind, set()).add(file)
    services = {}
    for kind, files in sorted(kinds.items()):
        if not kind.startswith("AWS::"):
            continue
        merged = {"attributes": set(), "objects": {}}
        for file in sorted(files):
            described = Type(json.loads((SCHEMAS / "resources" / f"{file}.json").read_text())).described()
            merged["attributes"] |= set(described["attributes"])
            for name, entries in described["objects"].items():
                merged["objects"].setdefault(name, {}).update(entries)
        merged["attributes"] = sorted(merged["attributes"])
        services.setdefault(kind.split("::")[1], {})[kind] = merged
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for service, described in sorted(services.items()):
            text = json.dumps(described, separators=(",", ":"), sort_keys=True)
            archive.writestr(zipfile.ZipInfo(f"{service}.json", SAME_FOR_ALL), text, zipfile.ZIP_DEFLATED, 9)


main(sys.argv[1])
