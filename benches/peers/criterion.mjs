// Prints the medians that criterion left in a folder as one JSON object: nanoseconds by benchmark.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const [folder] = process.argv.slice(2);
const medians = {};
for (const name of readdirSync(folder)) {
  const file = join(folder, name, "new", "estimates.json");
  if (existsSync(file)) medians[name] = JSON.parse(readFileSync(file, "utf8")).median.point_estimate;
}
console.log(JSON.stringify(medians));
