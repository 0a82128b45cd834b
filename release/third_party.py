"""Prints the licences of the crates that a deployer for TARGET has in it, as their authors' packages have them.

Most of them allow all use as long as their text goes with the program. A text that many crates have is printed once.
Run by release/archive: python3 release/third_party.py TARGET
"""

import json
import pathlib
import re
import subprocess
import sys

NAMES = re.compile(r"^(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)


def cargo(*arguments):
    """What cargo prints."""
    return subprocess.run(["cargo", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def texts(package):
    """The texts in a package's folder, by name."""
    folder = pathlib.Path(package["manifest_path"]).parent
    for file in sorted(folder.iterdir()):
        if file.is_file() and NAMES.match(file.name) and file.suffix not in {".rs", ".html"}:
            yield file.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n").strip()


def main(target):
    """Prints it."""
    metadata = json.loads(cargo("metadata", "--locked", "--format-version", "1", "--filter-platform", target))
    packages = {(package["name"], package["version"]): package for package in metadata["packages"]}
    # What runs while it is built, macros among it, isn't in the program; those that are in doubt are told as well.
    tree = cargo("tree", "--locked", "--package", "deployer", "--edges", "normal", "--target", target,
                 "--prefix", "none", "--format", "{p}")
    linked = {(line.split()[0], line.split()[1].removeprefix("v")) for line in tree.splitlines() if line}
    foreign = sorted(key for key in linked if packages[key]["source"])

    print(f"The deployer for {target} has code of these {len(foreign)} crates in it. The source of each is at")
    print("https://crates.io/crates/NAME/VERSION, unchanged.\n")
    crates_of = {}
    for key in foreign:
        package = packages[key]
        print(f"{package['name']} {package['version']}: {package['license']}")
        for text in texts(package):
            crates_of.setdefault(text, []).append(f"{package['name']} {package['version']}")
    for text, crates in crates_of.items():
        print("\n" + "-" * 100)
        print(", ".join(crates) + "\n")
        print(text)


if __name__ == "__main__":
    main(sys.argv[1])
