"""SQLAlchemy's inspector and reflection with each of its drivers, and what it asks at connect."""

import asyncio
import os
import sys

import sqlalchemy
from sqlalchemy import MetaData, create_engine, inspect
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.schema import CreateTable

METHODS = """get_columns get_pk_constraint get_foreign_keys get_indexes get_unique_constraints get_check_constraints
    get_table_comment get_table_options""".split()


def url(driver):
    at = "{PGUSER}:{PGPASSWORD}@{PGHOST}:{PGPORT}/{PGDATABASE}".format(**os.environ)
    return f"postgresql+{driver}://{at}"


def attempt(name, call):
    try:
        print(name, call(), flush=True)
    except Exception as error:
        first = str(getattr(error, "orig", None) or error).splitlines()[0]
        print(name, "ERROR", type(error).__name__, first, flush=True)


def ordered(value):
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (list, tuple)):
        return [ordered(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)


def learn(connection, driver):
    inspector = inspect(connection)
    attempt(f"{driver} version", lambda: connection.dialect.server_version_info)
    attempt(f"{driver} schema", lambda: inspector.default_schema_name)
    attempt(f"{driver} schemas", lambda: sorted(inspector.get_schema_names()))
    attempt(f"{driver} enums", lambda: ordered(inspector.get_enums(schema="*")))
    attempt(f"{driver} domains", lambda: ordered(inspector.get_domains(schema="*")))
    for schema in (None, "archive", "hidden_globex_schema"):
        for what in ("table", "view", "materialized_view", "sequence", "temp_table"):
            method = getattr(inspector, f"get_{what}_names", None)
            call = (lambda: sorted(method())) if what == "temp_table" else (lambda: sorted(method(schema=schema)))
            attempt(f"{driver} {schema} {what}s", call)
        for name in ("customers", "orders", "order_lines", "events", "Odd Names", "open_orders", "monthly", "rooms", "hidden_globex"):
            attempt(f"{driver} {schema} {name} has", lambda: inspector.has_table(name, schema=schema))
            if schema is None or name == "orders":
                for method in METHODS:
                    attempt(f"{driver} {schema} {name} {method}", lambda: ordered(getattr(inspector, method)(name, schema=schema)))
        for method in METHODS:
            many = method.replace("get_", "get_multi_").replace("constraint", "constraint")
            many = {"get_multi_columns": "get_multi_columns"}.get(many, many)
            call = getattr(inspector, many, None)
            if call:
                attempt(f"{driver} {schema} {many}", lambda: ordered({str(k): v for k, v in call(schema=schema, kind=sqlalchemy.engine.reflection.ObjectKind.ANY).items()}))
    attempt(f"{driver} view", lambda: inspector.get_view_definition("open_orders"))
    attempt(f"{driver} sequence", lambda: inspector.has_sequence("ticket_numbers"))
    attempt(f"{driver} index", lambda: inspector.has_index("orders", "orders_open"))
    metadata = MetaData()
    attempt(f"{driver} reflect", lambda: metadata.reflect(connection, views=True))
    for table in metadata.sorted_tables:
        attempt(f"{driver} table {table.name}", lambda: str(CreateTable(table).compile(connection)).replace("\n", " "))


async def learn_async(driver):
    engine = create_async_engine(url(driver), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.run_sync(learn, driver)
    await engine.dispose()


for driver in sys.argv[1:] or ["psycopg2", "psycopg", "pg8000", "asyncpg"]:
    if driver == "asyncpg":
        attempt(driver, lambda: asyncio.run(learn_async(driver)))
        continue
    try:
        with create_engine(url(driver), isolation_level="AUTOCOMMIT").connect() as connection:
            learn(connection, driver)
    except Exception as error:
        print(driver, "ERROR", type(error).__name__, str(error).splitlines()[0])
