"""psycopg 3 through Partywall. One check a run: psycopg_client.py NAME prints "ok NAME"."""

import asyncio
import datetime
import decimal
import os
import sys
import threading
import time
import uuid

import psycopg
from psycopg import errors

ENDLESS = "SELECT count(*) FROM invoices a, invoices b, invoices c WHERE a.number <> 'cancelled by psycopg'"


def parameters(tenant="acme", **changes):
    wanted = {
        "user": f"{tenant}_app",
        "password": os.environ[f"{tenant.upper()}_PASSWORD"],
        "sslmode": "verify-full",
        "sslrootcert": os.environ["CA_FILE"],
        "channel_binding": "require",
        "connect_timeout": 20,
    }
    return {**wanted, **changes}


def connect(tenant="acme", **changes):
    return psycopg.connect(**parameters(tenant, **changes))


def equal(found, wanted):
    if found != wanted:
        raise AssertionError(f"found {found!r}, wanted {wanted!r}")


def raises(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def types():
    values = [
        ("int4", 7), ("int8", 2**40), ("numeric", decimal.Decimal("12.50")), ("float8", 0.25), ("bool", True),
        ("text", "Grüße 'und' \"mehr\" \\ $1"), ("bytea", b"\x00\xff"), ("date", datetime.date(2026, 2, 28)),
        ("timestamptz", datetime.datetime(2026, 2, 28, 12, 30, tzinfo=datetime.timezone.utc)),
        ("interval", datetime.timedelta(days=3, seconds=4)), ("uuid", uuid.UUID(int=99)), ("int4[]", [1, None, 3]),
        ("text[]", ["a,b", "c"]), ("text", None),
    ]
    for binary in (False, True):
        with connect() as connection, connection.cursor(binary=binary) as cursor:
            for kind, value in values:
                found = cursor.execute(f"SELECT %s::{kind}", [value]).fetchone()[0]
                equal((kind, found), (kind, value))
            row = cursor.execute("SELECT id, amount, issued_on, number FROM invoices WHERE id = %s", [3]).fetchone()
            equal([type(value).__name__ for value in row], ["int", "Decimal", "date", "str"])


def prepared():
    with connect() as connection:
        for number in range(1, 12):
            row = connection.execute("SELECT number FROM invoices WHERE id = %s", [number], prepare=True).fetchone()
            equal(row[0], f"AC-{number:05}")


def cursors():
    for tenant, count in [("acme", 6000), ("globex", 5000)]:
        with connect(tenant) as connection:
            with connection.cursor("own", scrollable=True) as cursor:
                cursor.execute("SELECT id, client_id FROM invoices WHERE id > %s ORDER BY id", [10])
                equal(cursor.fetchone(), (11, tenant))
                equal([row[0] for row in cursor.fetchmany(3)], [12, 13, 14])
                cursor.scroll(-2)
                equal(cursor.fetchone()[0], 13)
                cursor.scroll(count - 11, mode="absolute")
                equal([row[0] for row in cursor.fetchall()], [count])
            # It outlives its transaction, and is iterated in parts.
            with connection.cursor("held", withhold=True) as cursor:
                cursor.itersize = 1000
                cursor.execute("SELECT client_id FROM invoices")
                connection.commit()
                equal({row[0] for row in cursor}, {tenant})
                equal(connection.execute("SELECT 1").fetchone()[0], 1)
            equal(raises(errors.InvalidCursorName, lambda: connection.execute("FETCH 1 FROM held")).sqlstate, "34000")
            connection.rollback()


def prepared_by_sql():
    with connect(autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
        cursor.execute("PREPARE by_sql (bigint) AS SELECT number FROM invoices WHERE id = $1")
        for number in range(1, 4):
            equal(cursor.execute("EXECUTE by_sql (%s)", [number]).fetchone()[0], f"AC-{number:05}")
        cursor.execute("PREPARE foreign_row (text) AS UPDATE invoices SET client_id = $1 WHERE id = 1")
        error = raises(errors.InsufficientPrivilege, lambda: cursor.execute("EXECUTE foreign_row (%s)", ["globex"]))
        equal("parameter $1" in str(error), True)
        equal(cursor.execute("EXECUTE foreign_row (%s)", ["acme"]).rowcount, 1)
        # The protocol binds what SQL has prepared, and the other way round.
        statement = connection.pgconn.exec_prepared(b"by_sql", [b"5"])
        equal(statement.get_value(0, 0), b"AC-00005")
        connection.pgconn.prepare(b"by_protocol", b"SELECT number FROM invoices WHERE id = $1")
        equal(cursor.execute("EXECUTE by_protocol (6)").fetchone()[0], "AC-00006")
        cursor.execute("DEALLOCATE by_protocol")
        raises(errors.InvalidSqlStatementName, lambda: cursor.execute("EXECUTE by_protocol (6)"))
        cursor.execute("DISCARD ALL")
        raises(errors.InvalidSqlStatementName, lambda: cursor.execute("EXECUTE by_sql (1)"))


def rows_by_cursor():
    with connect() as connection:
        connection.execute("DECLARE c CURSOR FOR SELECT id FROM projects WHERE name LIKE '%' ORDER BY id FOR UPDATE")
        found = connection.execute("FETCH 2 FROM c").fetchall()[-1][0]
        changed = connection.execute("UPDATE projects SET name = name WHERE CURRENT OF c RETURNING id, client_id")
        equal(changed.fetchall(), [(found, "acme")])
        equal(connection.execute("MOVE ALL IN c").statusmessage.startswith("MOVE "), True)
        raises(errors.FeatureNotSupported, lambda: connection.execute("EXPLAIN SELECT 1"))
        connection.rollback()


def pipeline():
    with connect() as connection:
        with connection.pipeline():
            cursors = [connection.execute("SELECT id FROM invoices WHERE id = %s", [n]) for n in range(1, 40)]
        equal([cursor.fetchone()[0] for cursor in cursors], list(range(1, 40)))


def pipeline_with_refusal():
    with connect(autocommit=True) as connection:
        with connection.pipeline() as pipe:
            first = connection.execute("SELECT 1")
            refused = connection.execute("SELECT * FROM pg_authid")
            skipped = connection.execute("SELECT 3")
            raises(psycopg.Error, pipe.sync)
            equal(first.fetchone()[0], 1)
            raises(psycopg.Error, refused.fetchone)
            raises(psycopg.Error, skipped.fetchone)
        equal(connection.execute("SELECT count(*) FROM projects WHERE id = 1").fetchone()[0], 1)


def copy():
    with connect("globex") as connection, connection.cursor() as cursor:
        with cursor.copy("COPY projects (name, budget, starts_on) FROM STDIN") as into:
            for number in range(1000):
                into.write_row([f"by psycopg {number}", number, datetime.date(2026, 1, 1)])
        with cursor.copy("COPY (SELECT client_id, name FROM projects WHERE name LIKE 'by psycopg%') TO STDOUT") as out:
            rows = list(out.rows())
        equal((len(rows), {row[0] for row in rows}), (1000, {"globex"}))
        connection.rollback()
        left = cursor.execute("SELECT count(*) FROM projects WHERE name LIKE 'by psycopg%'").fetchone()[0]
        equal(left, 0)


def copy_formats():
    rows = [(f"in every format {number}", number, datetime.date(2026, 1, 1)) for number in range(100)]
    with connect("globex") as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE kept (client_id text, name text, budget numeric, starts_on date) ON COMMIT DROP")
        cursor.executemany("INSERT INTO kept VALUES ('globex', %s, %s, %s)", rows)
        for form in ["text", "csv", "binary"]:
            with cursor.copy(f"COPY kept TO STDOUT (FORMAT {form})") as out:
                data = b"".join(out)
            with cursor.copy(f"COPY projects (client_id, name, budget, starts_on) FROM STDIN (FORMAT {form})") as into:
                into.write(data)
            cursor.execute("DELETE FROM projects USING kept WHERE projects.name = kept.name")
            equal(cursor.rowcount, 100)
        with cursor.copy("COPY projects (name, budget, starts_on) FROM STDIN (FORMAT binary)") as into:
            into.set_types(["text", "numeric", "date"])
            for row in rows:
                into.write_row(row)
        cursor.execute("SELECT count(*) FROM projects JOIN kept USING (client_id, name, starts_on)")
        equal(cursor.fetchone()[0], 100)
        connection.rollback()


def temporary():
    with connect("acme") as connection, connection.cursor() as cursor:
        for _ in range(20):
            cursor.execute("CREATE TEMP TABLE work AS SELECT id, number FROM invoices WHERE id <= %s", [10], prepare=False)
            cursor.execute("SELECT count(*) FROM work JOIN invoices ON invoices.id = work.id WHERE work.id > %s", [5])
            equal(cursor.fetchone()[0], 5)
            cursor.execute("DROP TABLE work")
        connection.rollback()


def cancel():
    with connect(autocommit=True) as connection, connect(autocommit=True) as other:
        def stop():
            # The statement may not run yet when a first cancel arrives: PostgreSQL then ignores it.
            while not done.wait(0.05):
                connection.cancel()
        done = threading.Event()
        canceller = threading.Thread(target=stop)
        canceller.start()
        try:
            raises(errors.QueryCanceled, lambda: connection.execute(ENDLESS))
        finally:
            done.set()
            canceller.join()
        equal(other.execute("SELECT 1").fetchone()[0], 1)
        for _ in range(100):
            try:
                equal(connection.execute("SELECT 2").fetchone()[0], 2)
                break
            except errors.QueryCanceled:
                time.sleep(0.01)  # a cancel that was under way
        else:
            raise AssertionError("the session does not recover")


def transactions():
    with connect() as connection:
        connection.execute("SELECT 1")
        raises(errors.DivisionByZero, lambda: connection.execute("SELECT 1/0"))
        raises(errors.InFailedSqlTransaction, lambda: connection.execute("SELECT 1"))
        connection.rollback()
        with connection.transaction():
            insert = "INSERT INTO projects (id, name, budget, starts_on) VALUES (%s, %s, 1, '2026-01-01')"
            connection.execute(insert, [900001, "by psycopg, kept"])
            try:
                with connection.transaction():
                    connection.execute(insert, [900002, "by psycopg, undone"])
                    connection.execute(insert, [900001, "by psycopg, twice"])
            except errors.UniqueViolation as error:
                equal(error.diag.constraint_name, "projects_pkey")
            else:
                raise AssertionError("no UniqueViolation")
        found = connection.execute("SELECT id FROM projects WHERE id IN (900001, 900002)").fetchall()
        equal(found, [(900001,)])
        connection.execute("DELETE FROM projects WHERE id = 900001")


def tenants():
    with connect("acme") as acme, connect("globex") as globex:
        sql = "SELECT DISTINCT client_id FROM contacts"
        equal(acme.execute(sql).fetchall(), [("acme",)])
        equal(globex.execute(sql).fetchall(), [("globex",)])
        equal(acme.execute("SELECT count(*) FROM contacts WHERE client_id = %s", ["globex"]).fetchone()[0], 0)
        raises(errors.InsufficientPrivilege, lambda: acme.execute("UPDATE contacts SET client_id = 'globex'"))


def tls_required():
    error = raises(psycopg.OperationalError, lambda: connect(sslmode="disable", channel_binding="disable"))
    equal("TLS" in str(error), True)


def wrong_password():
    error = raises(psycopg.OperationalError, lambda: connect(password="wrong"))
    equal("password authentication failed" in str(error), True)


def executemany():
    with connect("globex") as connection, connection.cursor() as cursor:
        rows = [(f"by executemany {n}", n, datetime.date(2026, 1, 1)) for n in range(200)]
        cursor.executemany("INSERT INTO projects (name, budget, starts_on) VALUES (%s, %s, %s)", rows)
        equal(cursor.rowcount, 200)
        connection.rollback()


def asynchronous():
    async def one(number):
        async with await psycopg.AsyncConnection.connect(**parameters()) as connection:
            cursor = await connection.execute("SELECT number FROM invoices WHERE id = %s", [number])
            return (await cursor.fetchone())[0]

    async def all_of_them():
        return await asyncio.gather(*(one(number) for number in range(1, 9)))

    equal(asyncio.run(all_of_them()), [f"AC-{number:05}" for number in range(1, 9)])


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    print("ok", sys.argv[1])
