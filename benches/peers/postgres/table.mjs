// Reads figures, one JSON object a line, and prints the median of each name as a Markdown table.
import { readFileSync } from "node:fs";

const figures = new Map();
for (const line of readFileSync(0, "utf8").trim().split("\n")) {
  const { name, value, unit, version } = JSON.parse(line);
  if (!figures.has(name)) figures.set(name, { unit, version, values: [] });
  figures.get(name).values.push(value);
}

const number = (value) => value.toLocaleString("en", value < 1_000 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 });

console.log("| peer | median | least to most | version |");
console.log("|---|---|---|---|");
for (const [name, { unit, version, values }] of figures) {
  const sorted = values.sort((a, b) => a - b);
  const median = sorted[(sorted.length - 1) >> 1];
  console.log(`| ${name} | ${number(median)} ${unit} | ${number(sorted[0])} to ${number(sorted.at(-1))} | ${version} |`);
}
