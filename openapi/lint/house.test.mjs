// Plants one fault for each rule of the house in a copy of the contract, lints the copy once, and expects every rule to
// find its fault: a linter that cannot fail proves nothing.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';

const contract = path.resolve(import.meta.dirname, '..');
const redocly = path.resolve(contract, '../internal/tools/node_modules/.bin/redocly');

// [rule, file, text to replace (once), replacement, part of the expected message, file of the report if it is another]
const faults = [
  ['lists-are-paged', 'paths/programs.yaml', "      - $ref: '../parameters.yaml#/Limit'\n", '', '`limit`'],
  ['posts-are-idempotent', 'paths/codes.yaml', "      - $ref: '../parameters.yaml#/IdempotencyKey'\n", '', 'Idempotency-Key'],
  ['patches-are-preconditioned', 'paths/codes.yaml', "      - $ref: '../parameters.yaml#/IfMatch'\n", '', 'If-Match'],
  ['operations-name-their-keys', 'paths/events.yaml', 'x-key: secret', 'x-key: any', '`x-key`'],
  ['operations-name-their-keys', 'paths/events.yaml', 'x-scope: events:read', 'x-scope: events', '`x-scope`'],
  ['operations-succeed', 'paths/redirect.yaml', "'302':", "'499':", '2xx or 3xx'],
  ['operations-name-their-problems', 'paths/rewards.yaml', "      '403': { $ref: '../responses.yaml#/Forbidden' }\n", '', '403'],
  ['operations-name-their-problems', 'responses.yaml', 'application/problem+json', 'application/json', 'nothing else', 'paths/rewards.yaml'],
  ['success-has-headers', 'paths/ledger.yaml', "          X-Request-Id: { $ref: '../headers.yaml#/RequestIdHeader' }\n", '', 'X-Request-Id'],
  ['success-has-headers', 'paths/signups.yaml', '    x-replayed: false\n', '', 'Idempotent-Replayed'],
  [
    'bodies-have-examples',
    'paths/system.yaml',
    "            examples:\n              health: { $ref: '../examples/system.yaml#/health-example' }\n",
    '',
    'has an example',
  ],
  ['schemas-are-bounded', 'schemas/problems.yaml', '      maxLength: 200\n', '', '`maxLength`'],
  ['schemas-are-bounded', 'schemas/ledger.yaml', '      maxItems: 7\n', '', '`maxItems`'],
  ['schemas-are-bounded', 'schemas/common.yaml', '  minimum: 1\n', '', '`minimum`'],
  [
    'schemas-are-bounded',
    'schemas/system.yaml',
    "    status: { $ref: '#/HealthStatus' }",
    '    status: { type: object, description: x, properties: { a: { type: boolean } } }',
    'with a name',
  ],
  ['requests-are-closed', 'schemas/churn.yaml', 'NewChurn:\n  type: object\n  additionalProperties: false\n', 'NewChurn:\n  type: object\n', 'additionalProperties'],
  ['enums-keep-their-word', 'schemas/referrals.yaml', 'churned: [qualified, rejected]', 'churned: [gone]', 'gone'],
  ['enums-keep-their-word', 'schemas/codes.yaml', '    retired: []\n', '', 'retired'],
  ['enums-keep-their-word', 'schemas/reason-codes.yaml', '    - NoTouch\n    - WindowExpired\n', '    - WindowExpired\n    - NoTouch\n', 'order'],
  ['component-names-are-unique', 'paths/signups.yaml', "../parameters.yaml#/Limit'", "../parameters.yaml#/signup'", 'is taken by'],
];

const folder = mkdtempSync(path.join(tmpdir(), 'contract-'));
after(() => rmSync(folder, { recursive: true }));

test('every rule of the house finds a planted fault', () => {
  cpSync(contract, folder, { recursive: true });
  const limit = readFileSync(path.join(folder, 'parameters.yaml'), 'utf8').match(/^Limit:\n(?: .*\n)+/m)[0];
  writeFileSync(path.join(folder, 'parameters.yaml'), `\n${limit.replace('Limit:', 'signup:')}`, { flag: 'a' });
  for (const [rule, file, text, replacement] of faults) {
    const name = path.join(folder, file);
    const source = readFileSync(name, 'utf8');
    assert.ok(source.includes(text), `${rule}: ${file} no longer holds ${JSON.stringify(text)}`);
    writeFileSync(name, source.replace(text, () => replacement));
  }
  const run = spawnSync(redocly, ['lint', 'openapi.yaml', '--config', 'redocly.yaml', '--format', 'json', '--max-problems', '1000'], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
  });
  assert.equal(run.status, 1, run.stderr);
  const found = JSON.parse(run.stdout.slice(run.stdout.indexOf('{'))).problems;
  for (const [rule, file, , , message, reportedIn = file] of faults) {
    const hit = found.some(
      (problem) =>
        problem.ruleId === `house/${rule}` && problem.message.includes(message) && problem.location.some((place) => place.source.ref.endsWith(reportedIn)),
    );
    assert.ok(hit, `house/${rule} did not find what was planted in ${file}: ${message}`);
  }
});
