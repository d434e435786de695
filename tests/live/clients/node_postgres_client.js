// node-postgres through Partywall. One check a run: node_postgres_client.js NAME prints "ok NAME".
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const { Client, Pool } = require("pg");

function parameters(tenant = "acme", changes = {}) {
  return {
    user: `${tenant}_app`,
    password: process.env[`${tenant.toUpperCase()}_PASSWORD`],
    ssl: { ca: fs.readFileSync(process.env.CA_FILE, "utf8") },
    enableChannelBinding: true,
    ...changes,
  };
}

async function connected(tenant, changes, body) {
  const client = new Client(parameters(tenant, changes));
  await client.connect();
  try {
    return await body(client);
  } finally {
    await client.end();
  }
}

const checks = {
  async types() {
    await connected("acme", {}, async (client) => {
      const sql =
        "SELECT $1::int4 AS i, $2::text AS t, $3::bool AS b, $4::float8 AS f, $5::bytea AS y, $6::timestamptz AS z, " +
        "$7::int4[] AS a, $8::numeric AS n, NULL::text AS e";
      const moment = new Date("2026-02-28T12:30:00Z");
      const values = [7, "Grüße 'und' \\ $1", true, 0.25, Buffer.from([0, 255]), moment, [1, null, 3], "12.50"];
      const { rows } = await client.query(sql, values);
      assert.deepEqual(rows[0], {
        i: 7, t: values[1], b: true, f: 0.25, y: values[4], z: moment, a: [1, null, 3], n: "12.50", e: null,
      });
    });
  },

  async prepared() {
    await connected("acme", {}, async (client) => {
      for (let id = 1; id < 12; id++) {
        const query = { name: "by-id", text: "SELECT number FROM invoices WHERE id = $1", values: [id] };
        const { rows } = await client.query(query);
        assert.equal(rows[0].number, `AC-${String(id).padStart(5, "0")}`);
      }
    });
  },

  async queued() {
    await connected("acme", {}, async (client) => {
      const ids = Array.from({ length: 40 }, (_, index) => index + 1);
      const answers = await Promise.all(ids.map((id) => client.query("SELECT id FROM invoices WHERE id = $1", [id])));
      assert.deepEqual(answers.map((answer) => Number(answer.rows[0].id)), ids);
      const refused = client.query("SELECT * FROM pg_authid");
      const after = client.query("SELECT 1 AS one");
      await assert.rejects(refused, (error) => typeof error.code === "string" && error.code.length === 5);
      assert.equal((await after).rows[0].one, 1);
    });
  },

  async transactions() {
    await connected("acme", {}, async (client) => {
      await client.query("BEGIN");
      await assert.rejects(client.query("SELECT 1/0"), { code: "22012" });
      await assert.rejects(client.query("SELECT 1"), { code: "25P02" });
      await client.query("ROLLBACK");
      await client.query("BEGIN");
      const insert = "INSERT INTO projects (name, budget, starts_on) VALUES ($1, 1, '2026-01-01') RETURNING client_id";
      const { rows, rowCount } = await client.query(insert, ["by node-postgres"]);
      assert.deepEqual([rows, rowCount], [[{ client_id: "acme" }], 1]);
      await client.query("ROLLBACK");
      const { rows: left } = await client.query("SELECT id FROM projects WHERE name = $1", ["by node-postgres"]);
      assert.deepEqual(left, []);
    });
  },

  async tenants() {
    for (const tenant of ["acme", "globex"]) {
      await connected(tenant, {}, async (client) => {
        const { rows } = await client.query("SELECT DISTINCT client_id FROM invoices");
        assert.deepEqual(rows, [{ client_id: tenant }]);
      });
    }
  },

  async tls_required() {
    await assert.rejects(connected("acme", { ssl: false }, () => {}), /TLS/);
  },

  async wrong_password() {
    await assert.rejects(connected("acme", { password: "wrong" }, () => {}), { code: "28P01" });
  },

  async pool() {
    const pool = new Pool(parameters("acme", { max: 5 }));
    const ids = Array.from({ length: 60 }, (_, index) => index + 1);
    const answers = await Promise.all(ids.map((id) => pool.query("SELECT number FROM invoices WHERE id = $1", [id])));
    assert.deepEqual(answers.map((answer) => Number(answer.rows[0].number.slice(3))), ids);
    await pool.end();
  },
};

const name = process.argv[2];
checks[name]().then(
  () => console.log(`ok ${name}`),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
