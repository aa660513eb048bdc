#!/usr/bin/env python3
"""Makes countries.txt, the address rules of all countries, from libaddressinput's metadata.

    ./countries.py path/to/libaddressinput/testdata/countryinfo.txt > countries.txt

The metadata is Google's, licensed under CC BY 4.0 (see NOTICE at the root). What is changed: formats
in Latin script are taken where there are two, only the first three examples of a postal code are kept, and of states
only those that have a code of two characters: their own key, else the last part of their ISO 3166-2 code.

A row of a country: code, format, required parts, upper-case parts, pattern of the postal code, examples, prefix.
A row of a state, below its country, begins with a tab: code, then its names.
"""

import json
import re
import sys

KEPT_EXAMPLES = 3


def read(path):
    rows = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            key, _, value = line.partition("=")
            if value:
                rows[key] = json.loads(value)
    return rows


def names_of(country, index):
    lists = (country.get(field, "").split("~") for field in ("sub_keys", "sub_names", "sub_lnames"))
    found = (names[index] for names in lists if index < len(names))
    return list(dict.fromkeys(name for name in found if name))


def states(country):
    keys = country.get("sub_keys", "").split("~")
    isos = country.get("sub_isoids", "").split("~")
    isos += [""] * (len(keys) - len(isos))
    for index, (key, iso) in enumerate(zip(keys, isos)):
        code = key if re.fullmatch("[A-Z]{2}", key) else iso
        if re.fullmatch("[A-Z0-9]{2}", code):
            yield code, names_of(country, index)


def main():
    rows = read(sys.argv[1])
    usual = rows.get("data/ZZ", {})
    print("# Address rules of countries, made by countries.py from libaddressinput's metadata. See NOTICE.")
    for code in rows["data"]["countries"].split("~"):
        country = rows["data/" + code]
        form = country.get("lfmt") or country.get("fmt") or usual.get("fmt", "%N%n%O%n%A%n%C")
        require = country.get("require", usual.get("require", "AC"))
        upper = country.get("upper", usual.get("upper", "C"))
        examples = ",".join(country.get("zipex", "").split(",")[:KEPT_EXAMPLES])
        pattern = country.get("zip", "")
        print("\t".join([code, form, require, upper, pattern, examples, country.get("postprefix", "")]))
        for state, names in states(country):
            print("\t" + "\t".join([state, *names]))


main()
