"""A table of gauges, published by Datasette."""

import sqlite3
from contextlib import closing
from pathlib import Path

from datasette.app import Datasette

FILE = Path(__file__).with_name("gauges.db")


def fill() -> None:
    """Forty gauges, the same each time."""
    with closing(sqlite3.connect(FILE)) as database, database:
        database.execute("create table gauges (id integer primary key, name text, level_cm integer)")
        rows = [(number, f"Gauge {number}", 100 + number * 7 % 90) for number in range(1, 41)]
        database.executemany("insert into gauges values (?, ?, ?)", rows)


if not FILE.exists():
    fill()
app = Datasette([str(FILE)]).app()
