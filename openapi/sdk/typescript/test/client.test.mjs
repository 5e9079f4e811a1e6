// The hand-written part of the TypeScript client, against a server that answers what each test says. Built first by tsc.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import test from 'node:test';
import { createGrapevineClient, paginate, ProblemError } from '../../../../gen/typescript/dist/index.js';

const program = { id: '0190b6f0-0000-7000-8000-000000000001', name: 'Friends' };
const problem = (status, code) => ({ type: `/docs/problems#${code}`, title: 'No', status, code, detail: 'Because.', request_id: 'r1' });

/** Starts a server that gives the answers in turn and remembers the requests. */
async function serve(t, answers) {
  const seen = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    seen.push({ method: request.method, url: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() });
    const { status, body, headers } = answers[seen.length - 1];
    const type = status < 400 ? 'application/json' : 'application/problem+json';
    response.writeHead(status, { 'Content-Type': type, ...headers }).end(JSON.stringify(body));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const client = createGrapevineClient({ apiKey: 'gv_test_sk_x', baseUrl: `http://127.0.0.1:${server.address().port}/` });
  return { client, seen };
}

const body = { name: 'Friends', currency: 'EUR', landing_url: 'https://shop.example.com/' };

test('a request carries the key, and a POST an Idempotency-Key of its own', async (t) => {
  const { client, seen } = await serve(t, [{ status: 201, body: program, headers: { ETag: '"1"' } }]);
  const { data, response } = await client.createProgram({ body });
  assert.equal(data.id, program.id);
  assert.equal(response.headers.get('ETag'), '"1"');
  assert.equal(seen[0].url, '/v1/programs');
  assert.equal(seen[0].headers.authorization, 'Bearer gv_test_sk_x');
  assert.match(seen[0].headers['idempotency-key'], /^[0-9a-f-]{36}$/);
  assert.deepEqual(JSON.parse(seen[0].body), body);
});

test('what the server did not take is repeated with the same key and body, as late as it asks', async (t) => {
  const { client, seen } = await serve(t, [
    { status: 503, body: problem(503, 'overloaded'), headers: { 'Retry-After': '1' } },
    { status: 429, body: problem(429, 'rate_limited'), headers: { 'Retry-After': '0' } },
    { status: 409, body: problem(409, 'request_in_progress'), headers: { 'Retry-After': '0' } },
    { status: 201, body: program },
  ]);
  const began = Date.now();
  await client.createProgram({ body, headers: { 'Idempotency-Key': 'mine' } });
  assert.ok(Date.now() - began >= 1000, 'came back before Retry-After');
  assert.deepEqual(seen.map((r) => r.headers['idempotency-key']), ['mine', 'mine', 'mine', 'mine']);
  assert.equal(new Set(seen.map((r) => r.body)).size, 1);
});

test('a problem is thrown with its code, and a conflict is not repeated', async (t) => {
  const { client, seen } = await serve(t, [{ status: 409, body: problem(409, 'conflict') }]);
  await assert.rejects(client.createProgram({ body }), (error) => {
    assert.ok(error instanceof ProblemError);
    assert.equal(error.code, 'conflict');
    assert.equal(error.status, 409);
    assert.equal(error.requestId, 'r1');
    return true;
  });
  assert.equal(seen.length, 1);
});

test('a PATCH whose outcome is unknown is not repeated', async (t) => {
  const { client, seen } = await serve(t, [{ status: 503, body: problem(503, 'outcome_unknown'), headers: { 'Retry-After': '0' } }]);
  const change = { path: { program_id: program.id }, headers: { 'If-Match': '"1"' }, body: { name: 'Other' } };
  await assert.rejects(client.updateProgram(change), { code: 'outcome_unknown' });
  assert.equal(seen.length, 1);
});

test('paginate gives every item of every page', async (t) => {
  const { client, seen } = await serve(t, [
    { status: 200, body: { data: [{ id: 'a' }, { id: 'b' }], next_cursor: 'c1', has_more: true } },
    { status: 200, body: { data: [{ id: 'c' }], next_cursor: null, has_more: false } },
  ]);
  const ids = [];
  for await (const item of paginate(client.listPrograms, { query: { limit: 2 } })) ids.push(item.id);
  assert.deepEqual(ids, ['a', 'b', 'c']);
  assert.deepEqual(seen.map((r) => r.url), ['/v1/programs?limit=2', '/v1/programs?limit=2&cursor=c1']);
});
