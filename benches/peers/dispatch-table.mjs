// Reads rounds of measurements, one JSON object a line, and prints medians and ratios as a Markdown table.
import { readFileSync } from "node:fs";

const rounds = {};
for (const line of readFileSync(0, "utf8").trim().split("\n")) {
  for (const [name, nanoseconds] of Object.entries(JSON.parse(line))) (rounds[name] ??= []).push(nanoseconds);
}

function median(name) {
  const sorted = [...(rounds[name] ?? [])].sort((a, b) => a - b);
  if (sorted.length === 0) throw new Error(`nothing was measured for ${name}`);
  return sorted[(sorted.length - 1) >> 1];
}

const value = (count) => `emit_value_${count}`;
const wildcard = (count) => `emit_wildcard_${count}`;
const ROWS = [
  ["one listener of a value", value(1), [
    ["eventemitter3", "eventemitter3_1"],
    ["eventemitter3, counted and caught", "eventemitter3_counted_1"],
    ["tokio broadcast, sent and received", "broadcast_1"],
  ]],
  ["ten listeners of a value", value(10), [
    ["eventemitter3", "eventemitter3_10"],
    ["eventemitter3, counted and caught", "eventemitter3_counted_10"],
    ["tokio broadcast, sent and received", "broadcast_10"],
  ]],
  ["one by wildcard, 1,000 other patterns", wildcard(1), [
    ["eventemitter2, no other patterns", "eventemitter2_1"],
    ["eventemitter2, 1,000 other patterns", "eventemitter2_others_1"],
  ]],
  ["ten by wildcard, 1,000 other patterns", wildcard(10), [
    ["eventemitter2, no other patterns", "eventemitter2_10"],
    ["eventemitter2, 1,000 other patterns", "eventemitter2_others_10"],
  ]],
  ["a stored payload to one by wildcard, 1,000 others", "emit_payload_1", []],
  ["a stored payload to ten by wildcard, 1,000 others", "emit_payload_10", []],
];

const ns = (nanoseconds) => `${nanoseconds.toFixed(nanoseconds < 100 ? 1 : 0)} ns`;
console.log("| case | Busway | peer | its time | Busway is |");
console.log("|---|---|---|---|---|");
for (const [label, ours, peers] of ROWS) {
  const time = median(ours);
  if (peers.length === 0) console.log(`| ${label} | ${ns(time)} | – | – | – |`);
  for (const [peer, name] of peers) {
    const theirs = median(name);
    const ratio = theirs >= time ? `${(theirs / time).toFixed(1)} times faster` : `${(time / theirs).toFixed(1)} times slower`;
    console.log(`| ${label} | ${ns(time)} | ${peer} | ${ns(theirs)} | ${ratio} |`);
  }
}
