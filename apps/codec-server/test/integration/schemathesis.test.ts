import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { listen, type RunningServer } from '../../src/listen/listen.ts';
import { findSchemathesis } from '../support/schemathesis.ts';
import { type Stack, startStack } from '../support/temporal.ts';

/* SLOW=1 tries more of each route, with a new seed; SCHEMATHESIS_SEED repeats one. */
const slow = process.env['SLOW'] !== undefined;
const examples = slow ? 500 : 15;
const seed = process.env['SCHEMATHESIS_SEED'] ?? String(slow ? Date.now() % 2 ** 32 : 20_261_124);
vi.setConfig({ testTimeout: slow ? 3_600_000 : 240_000 });

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
beforeAll(async () => {
  schemathesis = await findSchemathesis();
  if (schemathesis === undefined) return;
  directory = await mkdtemp(join(tmpdir(), 'schemathesis-'));
  stack = await startStack();
  server = await listen({
    host: '127.0.0.1',
    port: 0,
    app: (port) => stack.replica({ hosts: [`127.0.0.1:${port}`] }),
  });
}, 400_000);
afterAll(async () => {
  if (schemathesis === undefined) return;
  await server.close(1_000);
  await stack.close();
  await rm(directory, { recursive: true });
});

test('Schemathesis finds no answer that the OpenAPI document does not describe, and no 500', async () => {
  if (schemathesis === undefined) return;
  const base = `http://127.0.0.1:${server.port}`;
  const { all, exitCode } = await execa(
    schemathesis,
    [
      'run',
      `${base}/api/openapi.json`,
      '--url',
      base,
      '--phases',
      'examples,coverage,fuzzing',
      '--checks',
      CHECKS.join(','),
      '--max-examples',
      String(examples),
      '--seed',
      seed,
      '--request-timeout',
      '10',
      '--no-color',
    ],
    // It keeps its memory of former runs where it stands.
    { reject: false, all: true, cwd: directory },
  );
  const summary = /=+ SUMMARY =+[^]*/.exec(all)?.[0] ?? '';
  process.stdout.write(`schemathesis, seed ${seed}:\n${summary}\n`);
  // Lines can be as long as the longest URL.
  expect(exitCode, all.replaceAll(/^(.{400}).+$/gm, '$1…')).toBe(0);
});
