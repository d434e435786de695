"""pg8000: connection, types, rows."""

import os

import pg8000.dbapi

ENV = os.environ


def attempt(name, call):
    try:
        print(name, call(), flush=True)
    except Exception as error:
        print(name, "ERROR", type(error).__name__, str(error).splitlines()[0], flush=True)


def with_pg8000():
    connection = pg8000.dbapi.connect(user=ENV["PGUSER"], password=ENV["PGPASSWORD"], host=ENV["PGHOST"], port=int(ENV["PGPORT"]), database=ENV["PGDATABASE"])
    cursor = connection.cursor()

    def rows(sql, *values):
        cursor.execute(sql, values)
        return cursor.fetchall()
    attempt("pg8000 values", lambda: rows("SELECT 'new'::order_status, 'x'::citext, 5::percent"))
    attempt("pg8000 type", lambda: rows("SELECT oid, typarray FROM pg_type WHERE typname = %s", "order_status"))
    attempt("pg8000 rows", lambda: rows("SELECT * FROM orders ORDER BY id LIMIT 1"))
    connection.close()


with_pg8000()
