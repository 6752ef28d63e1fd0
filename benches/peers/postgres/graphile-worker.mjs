// graphile-worker.mjs URL [SAMPLES]: measures how long a job takes from one idle process to another with
// graphile-worker; prints p50 and p99 as lines of JSON.
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Logger, WorkerPreset, makeWorkerUtils, run } from "graphile-worker";

const TASK = "shift.signup.created";
// Jobs of which the times are not kept.
const WARM_UPS = 20;
// How long both processes idle before each job, in milliseconds.
const IDLE = 25;

const here = (file) => fileURLToPath(new URL(file, import.meta.url));
// As its documentation has it where it tells its own latency.
const preset = (url) => ({
  extends: [WorkerPreset],
  worker: {
    connectionString: url,
    concurrentJobs: 24,
    maxPoolSize: 25,
    localQueue: { size: 500 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
    logger: new Logger(() => (level, message) => { if (level === "error") console.error(message); }),
  },
});

async function work(url) {
  const task = () => process.send({ begun: String(process.hrtime.bigint()) });
  const runner = await run({ preset: preset(url), taskList: { [TASK]: task } });
  process.once("disconnect", () => runner.stop());
  process.send({ ready: true });
}

async function measure(url, samples) {
  const event = JSON.parse(readFileSync(here("event.json"), "utf8"));
  const utils = await makeWorkerUtils({ preset: preset(url) });
  await utils.migrate();
  const worker = fork(here("graphile-worker.mjs"), ["worker", url]);
  worker.once("exit", (code) => { if (code) process.exit(code); });
  const told = async () => (await once(worker, "message"))[0];
  await told();
  const took = [];
  for (let n = 0; n < WARM_UPS + samples; n += 1) {
    await sleep(IDLE);
    const next = told();
    const before = process.hrtime.bigint();
    await utils.addJob(TASK, event);
    const { begun } = await next;
    if (n >= WARM_UPS) took.push(Number(BigInt(begun) - before) / 1e6);
  }
  worker.disconnect();
  await utils.release();
  took.sort((a, b) => a - b);
  const { version } = JSON.parse(readFileSync(here("node_modules/graphile-worker/package.json"), "utf8"));
  for (const share of [0.5, 0.99]) {
    console.log(JSON.stringify({
      name: `graphile-worker, idle addJob to task, p${share * 100}`,
      value: took[Math.floor(share * (took.length - 1))],
      unit: "ms",
      version: `graphile-worker ${version}, Node ${process.versions.node}`,
    }));
  }
}

const [first, second] = process.argv.slice(2);
if (first === "worker") await work(second);
else await measure(first, Number(second ?? 600));
