"""What psycopg 3 looks up of types, and values of such types there and back."""

import psycopg
from psycopg.types import TypeInfo
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.enum import EnumInfo, register_enum
from psycopg.types.hstore import register_hstore
from psycopg.types.multirange import MultirangeInfo
from psycopg.types.range import RangeInfo, register_range

TYPES = ["order_status", "percent", "address", "price_span", "hstore", "citext", "public.address", "customers", "int4",
         "nothing", "hidden_globex", "hidden_globex_schema.kinds", '"hidden_globex_schema"."kinds"']


def attempt(name, call):
    try:
        print(name, call(), flush=True)
    except Exception as error:
        print(name, "ERROR", type(error).__name__, str(error).splitlines()[0], flush=True)


def psycopg3():
    with psycopg.connect("", autocommit=True) as connection:
        for kind in (TypeInfo, EnumInfo, CompositeInfo, RangeInfo, MultirangeInfo):
            for name in TYPES:
                def fetch():
                    info = kind.fetch(connection, name)
                    return info and {key: value for key, value in vars(info).items() if key not in ("python_type", "enum", "_added", "typemod")}
                attempt(f"psycopg {kind.__name__} {name}", fetch)
        attempt("psycopg hstore", lambda: register_hstore(TypeInfo.fetch(connection, "hstore"), connection))
        attempt("psycopg composite", lambda: register_composite(CompositeInfo.fetch(connection, "address"), connection))
        attempt("psycopg enum", lambda: register_enum(EnumInfo.fetch(connection, "order_status"), connection))
        attempt("psycopg range", lambda: register_range(RangeInfo.fetch(connection, "price_span"), connection))
        query = "SELECT 'a=>b'::hstore, ROW('s','t','c')::address, 'new'::order_status, '[1,2)'::price_span"
        attempt("psycopg values", lambda: connection.execute(query).fetchall())
        attempt("psycopg parameters", lambda: connection.execute("SELECT %s::hstore", [{"a": "b"}]).fetchall())
        attempt("psycopg row", lambda: connection.execute("SELECT name, home, extra FROM customers ORDER BY id").fetchall())


psycopg3()
