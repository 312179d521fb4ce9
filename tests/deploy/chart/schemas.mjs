// Holds manifests against the schemas of Kubernetes and of KEDA: a JSON list on standard input, the folder
// with the packages as the only argument; prints a JSON list of what is wrong.
//
// The packages' validators let pass what they do not know, where an API server that is asked to be strict
// refuses it. Each looks at every field that it knows, so a field that none looked at is unknown.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const folder = join(resolve(process.argv[2]), "node_modules");
const load = createRequire(import.meta.url);
// By its path: the packages offer classes, whose making already looks at every field.
const validator = (name, schema) => load(join(folder, name, "_schemas", `${schema}.js`)).validate;

const upper = (word) => word[0].toUpperCase() + word.slice(1);

function validatorOf({ apiVersion, kind }) {
  const [version, group] = apiVersion.split("/").reverse();
  if (group === "keda.sh") {
    return validator("@kubernetes-models/keda", `KedaSh${upper(version)}${kind}`);
  }
  const name = upper((group ?? "core").replace(/\.k8s\.io$/, ""));
  return validator("kubernetes-models", `IoK8sApi${name}${upper(version)}${kind}`);
}

// The same value, and in `unseen` the path of each field that nobody has looked at yet.
function watched(value, path, unseen) {
  if (value === null || typeof value !== "object") return value;
  const inside = Array.isArray(value) ? [] : {};
  for (const [key, field] of Object.entries(value)) {
    const place = `${path}/${key}`;
    inside[key] = watched(field, place, unseen);
    if (!Array.isArray(value)) unseen.add(place);
  }
  return new Proxy(inside, {
    get(target, key) {
      if (typeof key === "string") unseen.delete(`${path}/${key}`);
      return target[key];
    },
  });
}

const wrong = [];
for (const manifest of JSON.parse(readFileSync(0, "utf8"))) {
  const name = `${manifest.kind} ${manifest.metadata?.name}`;
  const unseen = new Set();
  let validate;
  try {
    validate = validatorOf(manifest);
  } catch {
    wrong.push(`${name}: no schema for ${manifest.apiVersion}`);
    continue;
  }
  if (!validate(watched(manifest, "", unseen))) {
    for (const error of validate.errors) wrong.push(`${name}: ${error.instancePath} ${error.message ?? error.keyword}`);
  }
  for (const path of unseen) wrong.push(`${name}: ${path} is unknown`);
}
console.log(JSON.stringify(wrong, null, 1));
