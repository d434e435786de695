"""What psycopg 2 looks up of types, and values of such types there and back."""

import psycopg2
import psycopg2.extras


def attempt(name, call):
    try:
        print(name, call(), flush=True)
    except Exception as error:
        print(name, "ERROR", type(error).__name__, str(error).splitlines()[0], flush=True)


def psycopg_2():
    connection = psycopg2.connect("")
    connection.autocommit = True
    cursor = connection.cursor()
    attempt("psycopg2 hstore oids", lambda: psycopg2.extras.HstoreAdapter.get_oids(connection))
    attempt("psycopg2 hstore", lambda: psycopg2.extras.register_hstore(connection))
    for name in ("address", "public.address", "customers", "nothing", "hidden_globex", "hidden_globex_schema.hidden_globex"):
        attempt(f"psycopg2 composite {name}", lambda: (lambda c: (c.name, c.schema, c.oid, c.attnames, c.atttypes))(
            psycopg2.extras.register_composite(name, cursor)))
    attempt("psycopg2 range", lambda: psycopg2.extras.register_range("price_span", "PriceSpan", cursor).name)
    attempt("psycopg2 json", lambda: psycopg2.extras.register_default_jsonb(cursor)[0].name)

    def rows(sql):
        cursor.execute(sql)
        return cursor.fetchall()
    attempt("psycopg2 values", lambda: rows("SELECT 'a=>b'::hstore, ROW('s','t','c')::address, '[1,2)'::price_span"))
    attempt("psycopg2 encoding", lambda: connection.set_client_encoding("UTF8"))
    attempt("psycopg2 isolation", lambda: connection.set_session(isolation_level="REPEATABLE READ", readonly=True))
    attempt("psycopg2 in it", lambda: rows("SELECT count(*) FROM customers"))


psycopg_2()
