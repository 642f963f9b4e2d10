import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RunningServer } from '../../src/server/listen.ts';
import { NAMESPACE, type Stack, startStack, TASK_QUEUE } from '../support/temporal.ts';

// Runs Temporal's Python SDK with a small HTTP codec (interop/python/src/temporal_kms_peers/remote.py)
// against this server.
const root = join(import.meta.dirname, '../../../..');
const project = join(root, 'interop/python');
const SECRET = 'canary-9e7701';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

let python: string | undefined;
let stack: Stack;
let server: RunningServer;
beforeAll(async () => {
  const { stdout, stderr, failed } = await execa(
    'python3',
    [join(project, 'ensure_venv.py'), join(root, '.dev/interop-python')],
    { reject: false },
  );
  if (failed) {
    process.stdout.write(
      `The test with a Python client is skipped: it needs Python 3.10 or later and PyPI. ${stderr}\n`,
    );
    return;
  }
  python = stdout.trim();
  stack = await startStack();
  server = await stack.serve();
}, 600_000);
afterAll(async () => {
  if (python === undefined) return;
  await server.close(1_000);
  await stack.close();
});

it('serves a Python client that starts, queries, signals and reads an encrypted workflow without keys', async ({
  skip,
}) => {
  if (python === undefined) return skip('Python with PyPI was not found');
  const { stdout } = await execa(
    python,
    [
      ['-m', 'temporal_kms_peers.remote', '--endpoint', `http://127.0.0.1:${server.port}`],
      ['--temporal', stack.server.address, '--namespace', NAMESPACE, '--task-queue', TASK_QUEUE],
      ['--workflow', 'everywhere', '--workflow-id', 'from-python', SECRET],
    ].flat(),
    { cwd: project, env: { PYTHONPATH: join(project, 'src') } },
  );
  const { query, result } = JSON.parse(stdout);
  expect(JSON.stringify(query)).toContain(`${SECRET} asked`);
  expect(JSON.stringify(result)).toContain(`${SECRET} result`);
  const history = await stack.client.workflow.getHandle('from-python').fetchHistory();
  // The history's JSON contains bytes in base64. The plaintext is a JSON string, which starts with a quotation
  // mark.
  const raw = JSON.stringify(history);
  expect(raw).toContain(base64('binary/envelope-kms-v2'));
  expect(raw).not.toContain(base64(`"${SECRET}`.slice(0, 12)));
});
