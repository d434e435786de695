"""What asyncpg looks up of types, its pool, and what it sends when a connection is given back."""

import asyncio

import asyncpg


async def with_asyncpg():
    connection = await asyncpg.connect()

    async def attempt(name, call):
        try:
            print(name, await call(), flush=True)
        except Exception as error:
            print(name, "ERROR", type(error).__name__, str(error).splitlines()[0], flush=True)

    for sql in ("SELECT 'new'::order_status", "SELECT ROW('s','t','c')::address", "SELECT 5::percent", "SELECT ARRAY['new']::order_status[]",
                "SELECT numrange(1,2)::text::price_span", "SELECT ARRAY[ROW('s','t','c')::address]", "SELECT 'a=>b'::hstore", "SELECT 'x'::citext",
                "SELECT c FROM customers c ORDER BY id", "SELECT * FROM orders ORDER BY id", "SELECT home, extra FROM customers"):
        await attempt("asyncpg " + sql, lambda: connection.fetch(sql))
    await attempt("asyncpg enum parameter", lambda: connection.fetch("SELECT id FROM orders WHERE status = $1 ORDER BY id", "new"))
    await attempt("asyncpg array parameter", lambda: connection.fetch("SELECT id FROM orders WHERE status = ANY ($1::order_status[]) ORDER BY id", ["new"]))
    await attempt("asyncpg builtin codec", lambda: connection.set_builtin_type_codec("hstore", codec_name="pg_contrib.hstore"))
    await attempt("asyncpg hstore", lambda: connection.fetch("SELECT 'a=>b'::hstore"))
    for name in ("citext", "order_status", "nothing"):
        await attempt("asyncpg codec " + name, lambda: connection.set_type_codec(name, encoder=str, decoder=str, schema="public"))
    await attempt("asyncpg prepared", lambda: prepared(connection))
    await attempt("asyncpg reset", lambda: connection.reset())
    await attempt("asyncpg reload", lambda: connection.reload_schema_state())
    await connection.close()
    pool = await asyncpg.create_pool(min_size=1, max_size=1)
    for turn in (1, 2):
        async with pool.acquire() as connection:
            await attempt(f"asyncpg pool {turn}", lambda: connection.fetchval("SELECT count(*) FROM customers"))
    await pool.close()


async def prepared(connection):
    statement = await connection.prepare("SELECT id, status, total FROM orders WHERE id = $1 AND status = $2")
    return statement.get_parameters(), statement.get_attributes()


asyncio.run(with_asyncpg())
