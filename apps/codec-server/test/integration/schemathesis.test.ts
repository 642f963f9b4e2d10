import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AuditFile, createAudit } from '@temporal-kms/audit';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { RunningServer } from '../../src/server/listen.ts';
import { auditFileAt } from '../support/audit-file.ts';
import { keptLog } from '../support/kept-log.ts';
import { findSchemathesis } from '../support/schemathesis.ts';
import { NAMESPACE, runOf, type Stack, startStack, TASK_QUEUE } from '../support/temporal.ts';
import { auditSink } from '../../src/audit/open-audit.ts';

/*
 * The first test sends random requests, and the second test sends valid and invalid values at each limit that the
 * OpenAPI document states.
 * With `SLOW=1`, both tests send both kinds, and more requests to each route. `SEED=n` sends different requests.
 */
const slow = process.env['SLOW'] !== undefined;
const examples = slow ? 200 : 5;
const seed = process.env['SEED'] ?? '20261124';
vi.setConfig({ testTimeout: slow ? 3_600_000 : 900_000 });

const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
];

let stack: Stack;
let server: RunningServer;
let schemathesis: string | undefined;
let directory: string;
let file: AuditFile;
beforeAll(async () => {
  schemathesis = await findSchemathesis();
  if (schemathesis === undefined) return;
  directory = await mkdtemp(join(tmpdir(), 'schemathesis-'));
  stack = await startStack();
  const path = join(directory, 'audit.jsonl');
  file = await auditFileAt(path);
  const audit = createAudit(auditSink(file.append, { log: keptLog().log }));
  server = await stack.serve({ audit, auditFile: path, auditHead: () => file.head() });
}, 400_000);
afterAll(async () => {
  if (schemathesis === undefined) return;
  await server.close(1_000);
  await stack.close();
  await file.close();
  await rm(directory, { recursive: true });
});

/** Makes Schemathesis accept any error status for invalid data, such as 413 if the data is also too large. */
const ANY_REFUSAL = 'checks.negative_data_rejection.expected-statuses = ["4XX", "5XX"]';

const config = async (lines: readonly string[]): Promise<string> => {
  const path = join(directory, 'schemathesis.toml');
  await writeFile(path, [ANY_REFUSAL, ...lines].join('\n'));
  return path;
};

const COVERAGE = 'examples,coverage';
const ALL_PHASES = `${COVERAGE},fuzzing`;

/** Runs Schemathesis, and returns its output and its exit code. */
async function run(
  found: string,
  path: string,
  phases: string,
): Promise<{ all: string; exitCode: number | undefined }> {
  const base = `http://127.0.0.1:${server.port}`;
  const { all, exitCode } = await execa(
    found,
    [
      ['--config-file', path, 'run', `${base}/api/openapi.json`, '--url', base],
      ['--phases', phases, '--checks', CHECKS.join(',')],
      ['--max-examples', String(examples), '--seed', seed, '--request-timeout', '60', '--no-color'],
    ].flat(),
    // Schemathesis stores data about earlier runs in the working folder.
    { reject: false, all: true, cwd: directory },
  );
  const summary = /=+ SUMMARY =+[^]*/.exec(all)?.[0] ?? '';
  process.stdout.write(`schemathesis, seed ${seed}:\n${summary}\n`);
  // Truncates lines, because a line may contain a URL of the maximum length.
  return { all: all.replaceAll(/^(.{400}).+$/gm, '$1…'), exitCode };
}

const claim = 'finds no response that the OpenAPI document does not describe, and no 500';

test(`Schemathesis ${claim}`, async ({ skip }) => {
  if (schemathesis === undefined) return skip('it could not be installed');
  const { all, exitCode } = await run(schemathesis, await config([]), slow ? ALL_PHASES : 'fuzzing');
  expect(exitCode, all).toBe(0);
});

test(`Schemathesis, given an existing workflow and schedule, ${claim}`, async ({ skip }) => {
  if (schemathesis === undefined) return skip('it could not be installed');
  const handle = await stack.start('everywhere', ['canary-71ce0d']);
  await handle.signal('finish', 'signal');
  await handle.result();
  const { workflowId, runId } = await runOf(handle);
  const { scheduleId } = await stack.client.schedule.create({
    scheduleId: 'daily',
    spec: {},
    action: { type: 'startWorkflow', workflowType: 'child', args: ['canary-71ce0d'], taskQueue: TASK_QUEUE },
  });
  const { all, exitCode } = await run(
    schemathesis,
    await config([
      '[parameters]',
      `"path.namespace" = "${NAMESPACE}"`,
      `"path.workflowId" = "${workflowId}"`,
      `"path.runId" = "${runId}"`,
      `"path.scheduleId" = "${scheduleId}"`,
      `"query.runId" = "${runId}"`,
      `"header.X-Namespace" = "${NAMESPACE}"`,
    ]),
    slow ? ALL_PHASES : COVERAGE,
  );
  expect(exitCode, all).toBe(0);
  // This is Schemathesis' message for routes that returned only 404. The absence of this message shows that
  // all routes were reached.
  expect(all).not.toMatch(/missing test data/i);
});
