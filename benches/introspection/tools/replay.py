"""Queries from files, as tools send them that cannot be run here: in QUERIES, one a line as a JSON string, a file a tool.

A file may name other things than the structure here has; then both sides must give the same error.
"""

import json
import os
import pathlib

import psycopg2
import psycopg2.extensions

folder = os.environ.get("QUERIES")
connection = psycopg2.connect("")
connection.autocommit = True
cursor = connection.cursor()
for path in sorted(pathlib.Path(folder).glob("*.queries")) if folder else []:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        name = f"{path.stem} {number}"
        try:
            cursor.execute(json.loads(line))
            rows = cursor.fetchall() if cursor.description else []
            for row in sorted(map(str, rows)):
                print(name, row)
            print(name, cursor.statusmessage)
        except Exception as error:
            print(name, "ERROR", getattr(error, "pgcode", None), str(error).splitlines()[0], flush=True)
