// fhir-kit-client, as its users call it.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'fhir-kit-client';

const LIBRARY = 'fhir-kit-client';
const here = dirname(fileURLToPath(import.meta.url));
const { version } = JSON.parse(readFileSync(join(here, 'node_modules', LIBRARY, 'package.json'), 'utf8'));
const [demo, results] = process.argv.slice(2);
const door = JSON.parse(readFileSync(demo, 'utf8')).fhir;
const client = new Client({ baseUrl: door.url, bearerToken: door.bearer });

// Of this run alone: the suites share a demo.
const RUN = randomUUID().slice(0, 8);
const SYSTEM = `urn:example:clients:${RUN}`;
const FAMILY = `Clientele${RUN}`;
const ids = [];
let statement;

class NotOffered extends Error {}

const person = (value, more = {}) => ({
  resourceType: 'Patient',
  identifier: [{ system: SYSTEM, value }],
  name: [{ family: FAMILY, given: ['Ada'] }],
  gender: 'female',
  birthDate: '1980-02-29',
  ...more,
});
const criterion = (value) => `${SYSTEM}|${value}`;
const query = (value) => `Patient?identifier=${encodeURIComponent(criterion(value))}`;
const status = (answer) => Client.httpFor(answer).response.status;
const resourcesOf = (bundle) => (bundle.entry ?? []).map((entry) => entry.resource);

async function run(name, interaction) {
  let result = 'ok';
  let note;
  try {
    note = (await interaction()) ?? '';
  } catch (error) {
    result = error instanceof NotOffered ? 'not offered yet' : 'failed';
    note = `${error.message}`;
    if (result === 'failed') console.error(error);
  }
  note = note.replace(/\s+/g, ' ').slice(0, 300);
  console.log(`${LIBRARY} ${version}: ${name}: ${result === 'ok' ? result : result.toUpperCase()} ${note}`);
  appendFileSync(results, `${[LIBRARY, version, name, result, note].join('\t')}\n`);
}

await run('capabilities', async () => {
  statement = await client.capabilityStatement();
  assert.equal(statement.fhirVersion, '4.0.1');
});

await run('create', async () => {
  for (let number = 0; number < 12; number += 1) {
    const made = await client.create({ resourceType: 'Patient', body: person(`p${number}`, { active: number % 2 === 0 }) });
    assert.equal(made.meta.versionId, '1');
    ids.push(made.id);
  }
});

await run('read', async () => {
  const found = await client.read({ resourceType: 'Patient', id: ids[0] });
  assert.equal(found.name[0].family, FAMILY);
  const version = await client.vread({ resourceType: 'Patient', id: ids[0], version: '1' });
  assert.equal(version.id, ids[0]);
});

await run('search', async () => {
  const searchParams = { family: FAMILY, gender: 'female', birthdate: 'ge1980-02-29', active: 'true' };
  assert.equal(resourcesOf(await client.search({ resourceType: 'Patient', searchParams })).length, 6);
  const one = await client.search({ resourceType: 'Patient', searchParams: { identifier: criterion('p3') } });
  assert.equal(resourcesOf(one)[0].id, ids[3]);
});

await run('pages to the end', async () => {
  const seen = [];
  const searchParams = { family: FAMILY, _count: 5, _sort: '-_lastUpdated' };
  let bundle = await client.search({ resourceType: 'Patient', searchParams });
  let last;
  while (bundle) {
    seen.push(...resourcesOf(bundle).map((one) => one.id));
    last = bundle;
    bundle = await client.nextPage({ bundle });
  }
  assert.deepEqual(seen.toSorted(), ids.toSorted());
  assert.equal(resourcesOf(await client.prevPage({ bundle: last })).length, 5);
});

await run('update', async () => {
  const one = await client.read({ resourceType: 'Patient', id: ids[0] });
  const done = await client.update({ resourceType: 'Patient', id: ids[0], body: { ...one, gender: 'other' } });
  assert.deepEqual([done.gender, done.meta.versionId], ['other', '2']);
});

await run('conditional create', async () => {
  const options = { headers: { 'If-None-Exist': `identifier=${criterion('once')}` } };
  const create = () => client.create({ resourceType: 'Patient', body: person('once'), options });
  const [first, second] = [await create(), await create()];
  assert.deepEqual([status(first), status(second)], [201, 200]);
  assert.equal(first.id, second.id);
});

await run('conditional update', async () => {
  const searchParams = { identifier: criterion('upsert') };
  const put = (body) => client.update({ resourceType: 'Patient', searchParams, body });
  const [first, second] = [await put(person('upsert')), await put(person('upsert', { active: true }))];
  assert.deepEqual([status(first), status(second), second.meta.versionId], [201, 200, '2']);
});

await run('patch', async () => {
  const jsonPatch = [{ op: 'replace', path: '/gender', value: 'unknown' }];
  const done = await client.patch({ resourceType: 'Patient', id: ids[1], jsonPatch });
  assert.equal(done.gender, 'unknown');
});

await run('conditional patch', async () => {
  const options = { headers: { 'Content-Type': 'application/merge-patch+json' } };
  const done = await client.request(query('p1'), { method: 'PATCH', body: { active: true }, options });
  assert.deepEqual([done.id, done.active], [ids[1], true]);
  return 'through request: there is no function';
});

await run('transaction', async () => {
  const request = { method: 'PUT', url: query('upsert') };
  const entry = [{ fullUrl: `urn:uuid:${randomUUID()}`, resource: person('upsert', { active: false }), request }];
  const done = await client.transaction({ body: { resourceType: 'Bundle', type: 'transaction', entry } });
  assert.match(done.entry[0].response.status, /^200/);
});

await run('history', async () => {
  const listed = await client.history({ resourceType: 'Patient', id: ids[0] });
  assert.deepEqual(resourcesOf(listed).map((one) => one.meta.versionId), ['2', '1']);
  assert.equal((await client.history({ resourceType: 'Patient' })).type, 'history');
  assert.equal((await client.history()).type, 'history');
});

await run('$validate', async () => {
  const [rest] = statement.rest;
  const listed = [...(rest.operation ?? []), ...rest.resource.flatMap((resource) => resource.operation ?? [])];
  if (!listed.some((operation) => operation.name === 'validate')) throw new NotOffered('/metadata lists no $validate');
  const input = person('invalid', { gender: 'x' });
  const outcome = await client.operation({ name: 'validate', resourceType: 'Patient', input });
  assert.equal(outcome.resourceType, 'OperationOutcome');
});

await run('errors', async () => {
  const body = person('bad', { birthDate: '1980-02-30' });
  const refused = await client.create({ resourceType: 'Patient', body }).catch((error) => error);
  assert.equal(refused.response?.status, 400);
  assert.deepEqual(refused.response.data.issue[0].expression, ['Patient.birthDate']);
  const missing = await client.read({ resourceType: 'Patient', id: 'nobody' }).catch((error) => error);
  assert.equal(missing.response?.status, 404);
  assert.match(missing.response.data.issue[0].details.text, /Patient\/nobody/);
  return 'error.response.data is the whole outcome';
});

await run('delete', async () => {
  await client.delete({ resourceType: 'Patient', id: ids[4] });
  const gone = await client.read({ resourceType: 'Patient', id: ids[4] }).catch((error) => error);
  assert.equal(gone.response?.status, 410);
});

await run('conditional delete', async () => {
  await client.request(query('p5'), { method: 'DELETE' });
  const left = await client.search({ resourceType: 'Patient', searchParams: { identifier: criterion('p5') } });
  assert.equal(left.total, 0);
  return 'through request: there is no function';
});
