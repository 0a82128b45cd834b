"""What the tools that people have for CloudFormation make of texts, as JSON.

Takes {"files": [PATH…], "texts": [TEXT…]} and answers with lists of the same lengths, each entry {"cli": X, "flip": X}, where X
is {"value": …} or {"error": "…"}. `cli` is the AWS CLI's own reader. `flip` is PyYAML with the rules of cfn-flip: functions
as the CLI has them, and dates left as text.

What JSON can't hold is an object with one name that begins with U+0000.
"""

import datetime
import json
import math
import sys

import yaml
from awscli.customizations.cloudformation.yamlhelper import yaml_parse


class Flip(yaml.SafeLoader):
    pass


# Without the rule that takes text for a time.
Flip.yaml_implicit_resolvers = {
    first: [rule for rule in rules if rule[0] != "tag:yaml.org,2002:timestamp"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def function(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else "Fn::" + suffix
    if name == "Fn::GetAtt" and isinstance(node.value, str):
        return {name: node.value.split(".", 1)}
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


Flip.add_multi_constructor("!", function)


def flip(text):
    try:
        return json.loads(text)
    except ValueError:
        return yaml.load(text, Flip)


def name(key):
    """A name as JSON has it."""
    if isinstance(key, bool) or key is None:
        return json.dumps(key)
    if isinstance(key, (datetime.date, datetime.datetime)):
        return key.isoformat()
    return key if isinstance(key, str) else repr(key)


def plain(value, depth=0):
    """The same of what JSON has."""
    if depth > 120:
        raise ValueError("deeper than other readers of JSON go")
    if isinstance(value, dict):
        return {name(key): plain(one, depth + 1) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one, depth + 1) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"\0float": repr(value)}
    if isinstance(value, (datetime.date, datetime.datetime)):
        return {"\0date": value.isoformat()}
    if isinstance(value, (bytes, set)):
        return {"\0" + type(value).__name__: repr(value)}
    if isinstance(value, str):
        # JSON may escape the halves of a character one by one, and they are one again to who reads that.
        return value.encode("utf-16", "surrogatepass").decode("utf-16")
    return value


def answer(read, text):
    try:
        return {"value": plain(read(text))}
    except (Exception, RecursionError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def both(text):
    return {"cli": answer(yaml_parse, text), "flip": answer(flip, text)}


def of_file(path):
    try:
        # A byte order mark is no content, as for the CLI on Windows.
        with open(path, encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except UnicodeDecodeError as error:
        return {"cli": {"error": str(error)}, "flip": {"error": str(error)}}
    return both(text)


asked = json.load(sys.stdin)
json.dump({"files": [of_file(path) for path in asked["files"]], "texts": [both(text) for text in asked["texts"]]}, sys.stdout)
