// publish.mjs URL COUNT: publishes so many events of each of two keys, each in a transaction of its own, and rolls
// back as many.
import pg from "pg";

const [url, count] = process.argv.slice(2);

/** Every way in which node-postgres may hand the arguments over. */
const ways = [
  ["select busway.publish($1, $2, $3, $4) as id", (key, n) => ["order.changed", "acme", { key, n }, key]],
  ["select busway.publish($1, $2, $3, $4) as id", (key, n) => ["order.changed", "acme", JSON.stringify({ key, n }), key]],
  [
    "select busway.publish(type => $1, tenant => $2, payload => $3::jsonb, key => $4, metadata => $5) as id",
    (key, n) => ["order.changed", "acme", { key, n }, key, { actorId: "node" }],
  ],
  [
    `select busway.publish(type => $1, tenant => $2, payload => $3, key => $4, metadata => $5, id => $6, "time" => $7) as id`,
    (key, n) => ["order.changed", "acme", { key, n }, key, null, crypto.randomUUID(), new Date()],
  ],
];

async function publish(key) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  for (let n = 1; n <= Number(count); n++) {
    for (const ending of ["rollback", "commit"]) {
      const [text, values] = ways[n % ways.length];
      await client.query("begin");
      const { rows } = await client.query(text, values(key, n));
      await client.query("insert into told (event, key, n) values ($1, $2, $3)", [rows[0].id, key, n]);
      await client.query(ending);
    }
  }
  await client.end();
}

await Promise.all(["node 1", "node 2"].map(publish));
