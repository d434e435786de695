// node-postgres, postgres.js, and what ORMs for Node ask: Knex, Sequelize, TypeORM, Kysely, Drizzle; those that are installed.
const env = process.env;
const at = { host: env.PGHOST, port: +env.PGPORT, user: env.PGUSER, password: env.PGPASSWORD, database: env.PGDATABASE };
const url = `postgres://${at.user}:${at.password}@${at.host}:${at.port}/${at.database}`;

async function attempt(name, call) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error("no answer")), 10000).unref());
  try {
    console.log(name, JSON.stringify(await Promise.race([call(), late])));
  } catch (error) {
    console.log(name, "ERROR", String(error.message || error).split("\n")[0]);
  }
}
function has(name) {
  try { return require(name); } catch { return null; }
}

async function main() {
  const pg = has("pg");
  if (pg) {
    const client = new pg.Client(at);
    await client.connect();
    await attempt("pg types", async () => (await client.query("SELECT * FROM orders ORDER BY id")).rows);
    await attempt("pg oids", async () => (await client.query("SELECT typname, oid, typarray FROM pg_type WHERE typname = ANY ($1) ORDER BY oid", [["hstore", "order_status", "citext"]])).rows);
    await client.end();
  }
  const postgres = has("postgres");
  if (postgres) {
    const sql = postgres({ ...at, max: 1, onnotice: () => {} });
    await attempt("postgres.js rows", () => sql`SELECT id, tags, status FROM orders WHERE tags = ${[]} OR id > ${0} ORDER BY id`);
    await attempt("postgres.js arrays", () => sql`SELECT ${sql.array(["new"])}::order_status[] AS a`);
    await sql.end();
  }
  const promise = has("pg-promise");
  if (promise) {
    const db = promise()({ ...at });
    await attempt("pg-promise", () => db.any("SELECT id, name FROM customers ORDER BY id"));
    db.$pool.end();
  }
  const knex = has("knex");
  if (knex) {
    const db = knex({ client: "pg", connection: at, pool: { min: 0, max: 1 } });
    for (const table of ["customers", "orders", "hidden_globex"]) {
      await attempt(`knex ${table}`, () => db.schema.hasTable(table));
      await attempt(`knex ${table} columns`, () => db(table).columnInfo());
      await attempt(`knex ${table} column`, () => db.schema.hasColumn(table, "id"));
    }
    await attempt("knex version", () => db.raw("select version()").then((r) => r.rows));
    await db.destroy();
  }
  const sequelize = has("sequelize");
  if (sequelize) {
    const db = new sequelize.Sequelize(url, { logging: false, pool: { max: 1 } });
    const q = db.getQueryInterface();
    await attempt("sequelize authenticate", () => db.authenticate());
    await attempt("sequelize version", () => db.databaseVersion());
    await attempt("sequelize tables", async () => (await q.showAllTables()).sort());
    await attempt("sequelize schemas", async () => (await q.showAllSchemas()));
    for (const table of ["customers", "orders", "order_lines", "hidden_globex"]) {
      await attempt(`sequelize ${table}`, () => q.describeTable(table));
      await attempt(`sequelize ${table} there`, () => q.tableExists(table));
      await attempt(`sequelize ${table} indexes`, () => q.showIndex(table));
      await attempt(`sequelize ${table} constraints`, () => q.showConstraint(table));
      await attempt(`sequelize ${table} keys`, () => q.getForeignKeyReferencesForTable(table));
      await attempt(`sequelize ${table} keys of many`, () => q.getForeignKeysForTables([table]));
    }
    const Customer = db.define("customer", { name: sequelize.DataTypes.STRING, home: sequelize.DataTypes.STRING }, { timestamps: false });
    await attempt("sequelize rows", () => Customer.findAll({ order: [["id", "ASC"]], attributes: ["id", "name", "home"] }));
    const Order = db.define("orders", { status: sequelize.DataTypes.ENUM("new", "paid"), tags: sequelize.DataTypes.ARRAY(sequelize.DataTypes.TEXT), valid: sequelize.DataTypes.RANGE(sequelize.DataTypes.DATE) }, { timestamps: false });
    await attempt("sequelize orders", () => Order.findAll({ order: [["id", "ASC"]], attributes: ["id", "status", "tags", "valid"] }));
    await db.close();
  }
  const typeorm = has("typeorm");
  if (typeorm) {
    const entity = new typeorm.EntitySchema({ name: "customers", tableName: "customers", columns: {
      tenant_id: { type: "text", primary: true }, id: { type: "bigint", primary: true }, name: { type: "varchar", length: 80 }, extra: { type: "hstore", nullable: true } } });
    const db = new typeorm.DataSource({ type: "postgres", ...at, username: at.user, entities: [entity], installExtensions: false });
    await attempt("typeorm connect", async () => { await db.initialize(); return db.isInitialized; });
    if (db.isInitialized) {
      const runner = db.createQueryRunner();
      await attempt("typeorm databases", () => runner.getDatabases());
      await attempt("typeorm schemas", () => runner.getSchemas());
      await attempt("typeorm schema", () => runner.getCurrentSchema());
      await attempt("typeorm has", () => runner.hasTable("hidden_globex"));
      for (const table of ["customers", "orders", "order_lines", "rooms", "countries", "public.orders", "archive.orders"]) {
        await attempt(`typeorm ${table}`, async () => { const t = await runner.getTable(table); return t && { c: t.columns, i: t.indices, f: t.foreignKeys, u: t.uniques, k: t.checks, e: t.exclusions }; });
      }
      await attempt("typeorm view", () => runner.getViews([]));
      await attempt("typeorm rows", () => db.getRepository(entity).find({ order: { id: "ASC" } }));
      await attempt("typeorm would change", async () => (await db.driver.createSchemaBuilder().log()).upQueries.map((q) => q.query));
      await runner.release();
      await db.destroy();
    }
  }
  const kysely = has("kysely");
  if (kysely && pg) {
    const db = new kysely.Kysely({ dialect: new kysely.PostgresDialect({ pool: new pg.Pool({ ...at, max: 1 }) }) });
    await attempt("kysely schemas", () => db.introspection.getSchemas());
    await attempt("kysely tables", () => db.introspection.getTables());
    await attempt("kysely metadata", () => db.introspection.getMetadata());
    await db.destroy();
  }
}
main().then(() => process.exit(0));
