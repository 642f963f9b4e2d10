import { KmsCodecPlugin } from '@temporal-kms/kms-codec';
import { Client } from '@temporalio/client';
import { beforeAll, describe, expect, test } from 'vitest';
import { openAccess } from '../../src/access/access.ts';
import { HttpError } from '../../src/errors.ts';
import type { AppDeps } from '../../src/app.ts';
import { onDemandAccess } from '../support/callers.ts';
import { forFile } from '../support/for-file.ts';
import { posted, waitingCodec } from '../support/served.ts';
import { keys, noAccess } from '../support/stack.ts';
import { createStoredPayloads } from '../support/storage.ts';
import { eventually, NAMESPACE, startStack, TASK_QUEUE, temporalCli } from '../support/temporal.ts';

// These tests run Temporal's own CLI, unmodified, with this server.
const stack = forFile(await startStack());
const server = forFile(await stack.serve());

const SECRET = 'canary-c0ffee';

/** The form of a payload's data in the CLI's JSON. */
const base64 = (value: string): string => Buffer.from(JSON.stringify(value)).toString('base64');

const temporal = (args: string[], codec = true): Promise<string> =>
  temporalCli(stack, [...args, ...(codec ? ['--codec-endpoint', `http://127.0.0.1:${server.port}`] : [])]);

test('starts, signals, queries and updates encrypted workflows, and shows and lists their plaintext', async () => {
  const id = ['--workflow-id', 'from-the-cli'];
  const order = ['--type', 'everywhere', '--task-queue', TASK_QUEUE, '--input', JSON.stringify(SECRET)];
  await temporal(['workflow', 'start', ...id, ...order, '--memo', `note="${SECRET} memo"`]);
  const query = await temporal(['workflow', 'query', ...id, '--name', 'look', '--input', '"asked"']);
  expect(query).toContain(`${SECRET} asked`);
  const change = ['--name', 'change', '--input', '"updated"'];
  const update = await temporal(['workflow', 'update', 'execute', ...id, ...change]);
  expect(update).toContain(`${SECRET} updated`);
  await temporal(['workflow', 'signal', ...id, '--name', 'finish', '--input', `"${SECRET} signal"`]);

  const result = await temporal(['workflow', 'result', ...id]);
  expect(result).toContain(`${SECRET} result`);
  const shown = await temporal(['workflow', 'show', ...id, '--output', 'json']);
  for (const place of ['timer', 'activity', 'local', 'child', 'signal', 'result', 'memo']) {
    expect(shown, place).toContain(base64(`${SECRET} ${place}`));
  }
  await eventually(async () =>
    expect(await temporal(['workflow', 'list', '--output', 'json'])).toContain(`${SECRET} memo`),
  );

  const bare = await temporal(['workflow', 'show', ...id, '--output', 'json'], false);
  for (const place of ['result', 'memo']) expect(bare).not.toContain(base64(`${SECRET} ${place}`));
  expect(bare).toContain(Buffer.from('binary/envelope-kms-v2').toString('base64'));
});

test('shows a payload that is in external storage', async () => {
  const { dataConverter, storage } = createStoredPayloads(NAMESPACE);
  const { connection, kms } = stack;
  const plugins = [new KmsCodecPlugin(kms.codec)];
  const client = new Client({ connection, namespace: NAMESPACE, plugins, dataConverter });
  const large = SECRET.repeat(30_000);
  // No worker polls this task queue.
  await client.workflow.start('everywhere', { workflowId: 'stored', taskQueue: 'none', args: [large] });
  const reading = await stack.serve({ storage });
  const args = ['workflow', 'show', '--workflow-id', 'stored', '--output', 'json', '--codec-endpoint'];
  const show = (port: number) => temporalCli(stack, [...args, `http://127.0.0.1:${port}`]);
  expect((await show(reading.port)).includes(base64(large))).toBe(true);
  const type = Buffer.from('temporal.api.sdk.v1.ExternalStorageReference').toString('base64');
  expect(await show(server.port)).toContain(type);
  await reading.close(1_000);
});

test('sends --codec-auth and --codec-header, and fails if a required header is missing', async () => {
  const given: (string | undefined)[][] = [];
  const strict = await stack.serve({
    namespacePaths: true,
    access: {
      ...openAccess,
      authenticate: (request) => {
        given.push([request.header('authorization'), request.header('x-reveal-justification')]);
        if (request.header('authorization') === 'Bearer of-ana') return { name: 'ana' };
        throw new HttpError(401, 'unauthenticated', 'Sign in.');
      },
      reveal: () => 'on-demand',
    },
  });
  const handle = await stack.start('everywhere', [SECRET]);
  await handle.signal('finish', 'now');
  await handle.result();
  const run = (command: string[], ...more: string[]) =>
    temporalCli(
      stack,
      ['workflow', ...command, '--workflow-id', handle.workflowId]
        .concat(['--codec-endpoint', `http://127.0.0.1:${strict.port}/{namespace}`])
        .concat(more),
    );
  // Unlike `workflow result`, this command does not repeat a refused request.
  const query = ['query', '--name', 'look', '--command-timeout', '60s'];
  const justification = ['--codec-header', 'X-Reveal-Justification=ticket 4711 für Müller'];
  const ana = ['--codec-auth', 'Bearer of-ana'];
  expect(await run(['result'], ...ana, ...justification)).toContain(`${SECRET} result`);
  expect(given.at(-1)?.[0]).toBe('Bearer of-ana');
  await expect(run(query, ...justification)).rejects.toThrow('Unauthorized');
  expect(given.at(-1)?.[0]).toBeUndefined();
  await expect(run(query, ...ana)).rejects.toThrow('X-Reveal-Justification');
  await strict.close(1_000);
});

describe('an error of the codec server', () => {
  let workflowId: string;
  beforeAll(async () => {
    ({ workflowId } = await stack.start('everywhere', [SECRET]));
  });

  /**
   * Starts a codec server with these dependencies, runs the CLI command against it, and resolves to the CLI's
   * error output.
   */
  async function failureOf(
    deps: Partial<AppDeps>,
    args: string[],
    before: (url: string) => Promise<unknown> = () => Promise.resolve(),
  ): Promise<string> {
    const refusing = await stack.serve(deps);
    const url = `http://127.0.0.1:${refusing.port}`;
    try {
      await before(url);
      return await temporalCli(stack, [...args, '--workflow-id', workflowId, '--codec-endpoint', url]);
    } catch (error) {
      if (error instanceof Error && 'stderr' in error) return String(error.stderr);
      throw error;
    } finally {
      await refusing.close(0);
    }
  }

  const query = (deps: Partial<AppDeps>, before?: (url: string) => Promise<unknown>) =>
    failureOf(deps, ['workflow', 'query', '--name', 'look', '--command-timeout', '60s'], before);

  test.each<[text: string, deps: () => Partial<AppDeps>]>([
    ['Unauthorized: Sign in', () => ({ access: noAccess })],
    [
      'Forbidden: You may not decode',
      () => ({ access: { ...openAccess, allows: (_, permission) => permission !== 'decode' } }),
    ],
    ['X-Reveal-Justification', () => ({ access: onDemandAccess })],
    ['Request Entity Too Large: The body', () => ({ limits: { maxBody: 10 } })],
    [
      'Gateway Timeout: The request took',
      () => ({ codec: waitingCodec(stack.kms).codec, limits: { requestMs: 300 } }),
    ],
  ])('is shown by `workflow query`: %s', async (text, deps) => {
    expect(await query(deps())).toContain(text);
  });

  test('is shown by `workflow query` if its cause is a rate limit', async () => {
    const shown = await query({ rates: { refused: 1 } }, (url) => fetch(`${url}/decode`, posted('{')));
    expect(shown).toContain('Too Many Requests: This server refused');
  });

  test('is shown by `workflow query` if its cause is Cloud KMS or a key', async () => {
    await using other = stack.kms.another({}, 100);
    const { codec } = other;
    stack.kms.emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
    expect(await query({ codec })).toContain('Service Unavailable: kms_unavailable');
    stack.kms.emulator.clearFaults();
    const version = `${keys.payments}/cryptoKeyVersions/1`;
    await stack.kms.emulator.setVersionState(version, 'DISABLED');
    await eventually(async () => expect(await query({ codec })).toContain('Bad Request: key_disabled'));
    await stack.kms.emulator.setVersionState(version, 'ENABLED');
  });

  test('is hidden if the CLI command retries', async () => {
    const shown = await failureOf({ access: noAccess }, ['workflow', 'show', '--command-timeout', '4s']);
    expect(shown).toContain('context deadline exceeded');
    expect(shown).not.toContain('Sign in');
  });
});
