// What it costs to emit an event to listeners in Node; prints one JSON object: nanoseconds per emit by case.
// Each case runs in a process of its own, so that none is compiled with the others in mind.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import EventEmitter2 from "eventemitter2";
import { EventEmitter } from "eventemitter3";

// Many short rounds, whose median a busy machine does not move: few are interrupted.
const ROUNDS = 4_001;
const EMITS = 2_000;

let sum = 0;
const listeners = (count) => Array.from({ length: count }, () => (ticket) => { sum += ticket.id; });

function plain(count) {
  const bus = new EventEmitter();
  for (const listener of listeners(count)) bus.on("ticket.created", listener);
  return bus;
}

// With what Busway does by itself: each error caught, each type and listener counted.
function counted(count) {
  const bus = new EventEmitter();
  const emitted = new Map();
  for (const listener of listeners(count)) {
    const stats = { executed: 0, failed: 0 };
    bus.on("ticket.created", (ticket) => {
      stats.executed += 1;
      try {
        listener(ticket);
      } catch {
        stats.failed += 1;
      }
    });
  }
  return {
    emit(type, ticket) {
      emitted.set(type, (emitted.get(type) ?? 0) + 1);
      return bus.emit(type, ticket);
    },
  };
}

function wildcard(count, others) {
  const bus = new EventEmitter2({ wildcard: true, maxListeners: 0 });
  for (let n = 0; n < others; n += 1) bus.on(`other${n}.*`, () => {});
  for (const listener of listeners(count)) bus.on("ticket.*", listener);
  return bus;
}

const CASES = {
  eventemitter3_1: () => plain(1),
  eventemitter3_10: () => plain(10),
  eventemitter3_counted_1: () => counted(1),
  eventemitter3_counted_10: () => counted(10),
  eventemitter2_1: () => wildcard(1, 0),
  eventemitter2_10: () => wildcard(10, 0),
  eventemitter2_others_1: () => wildcard(1, 1_000),
  eventemitter2_others_10: () => wildcard(10, 1_000),
};

function nanoseconds(bus) {
  const ticket = { id: 7 };
  const rounds = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = process.hrtime.bigint();
    for (let n = 0; n < EMITS; n += 1) bus.emit("ticket.created", ticket);
    rounds.push(Number(process.hrtime.bigint() - start) / EMITS);
  }
  if (sum === 0) throw new Error("no listener ran");
  return rounds.sort((a, b) => a - b)[(ROUNDS - 1) / 2];
}

const [only] = process.argv.slice(2);
if (only) {
  console.log(nanoseconds(CASES[only]()));
} else {
  const run = (name) => Number(execFileSync(process.execPath, [fileURLToPath(import.meta.url), name]));
  console.log(JSON.stringify(Object.fromEntries(Object.keys(CASES).map((name) => [name, run(name)]))));
}
