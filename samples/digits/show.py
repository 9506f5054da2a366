"""Print the digit of an input file as block characters: python show.py [input.json]."""

import json
import sys
from pathlib import Path

SHADES = " ░▒▓█"


def main():
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("input.json")
    for row in json.loads(path.read_text(encoding="utf-8"))["image"]:
        print("  " + "".join(SHADES[round(pixel / 4)] * 2 for pixel in row).rstrip())


if __name__ == "__main__":
    main()
