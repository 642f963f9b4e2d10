import { createAudit } from '@temporal-kms/audit';
import type { AuditEntry } from '@temporal-kms/codec-api';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Access, openAccess } from '../../src/access/access.ts';
import { listen } from '../../src/server/listen.ts';
import { keys } from '../support/stack.ts';
import { NAMESPACE, runOf, runPath, type Stack, startStack } from '../support/temporal.ts';

let stack: Stack;
let run: { workflowId: string; runId: string };
beforeAll(async () => {
  stack = await startStack();
  run = await runOf(await stack.start('everywhere', ['value'], { taskQueue: 'no-worker' }));
});
afterAll(() => stack.close());

const HOST = '127.0.0.1';

/** Starts a server with empty caches that records its audit entries. */
async function serve(access: Access = openAccess) {
  const entries: AuditEntry[] = [];
  const audit = createAudit({ write: async (entry) => void entries.push(entry) });
  const stopping = new AbortController();
  const other = stack.kms.another();
  const server = await listen({
    host: HOST,
    port: 0,
    app: (port) =>
      stack.replica({
        codec: other.codec,
        access,
        audit,
        stopping: stopping.signal,
        hosts: [`${HOST}:${port}`],
      }),
  });
  const decode = (signal?: AbortSignal) =>
    fetch(`http://${HOST}:${server.port}${runPath(run)}/payloads:decode`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ refs: ['1:0'] }),
      ...(signal && { signal }),
    });
  const stop = async (): Promise<void> => {
    stopping.abort();
    await server.close(5_000);
    await audit.settled();
  };
  return { entries, decode, stop, close: () => other[Symbol.asyncDispose]() };
}

const outcomes = (entries: readonly AuditEntry[]) =>
  entries.map(({ event, outcome }) => outcome?.result ?? event);

it('writes the intent before the call to Cloud KMS, and an outcome that names the key', async () => {
  const order: string[] = [];
  const entries: AuditEntry[] = [];
  const other = stack.kms.another();
  const unwrap = other.codec.keyService.unwrap.bind(other.codec.keyService);
  other.codec.keyService.unwrap = (request) => {
    order.push('unwrap');
    return unwrap(request);
  };
  const app = stack.replica({
    codec: other.codec,
    audit: createAudit({
      write: async (entry) => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        entries.push(entry);
        order.push(entry.event);
      },
    }),
  });
  const response = await app.request(`${runPath(run)}/payloads:decode`, {
    method: 'POST',
    headers: { host: '127.0.0.1:8088', 'content-type': 'application/json' },
    body: JSON.stringify({ refs: ['1:0'], justification: 'ticket 4711' }),
  });
  await response.text();
  expect(order).toEqual(['intent', 'unwrap', 'outcome']);
  expect(entries[1]).toMatchObject({
    ...run,
    namespace: NAMESPACE,
    refs: ['1:0'],
    justification: 'ticket 4711',
    outcome: { result: 'complete', payloads: 1, keys: [{ name: keys.payments, version: 1, payloads: 1 }] },
  });
  await other[Symbol.asyncDispose]();
});

it('writes the outcome of a stream whose client disconnects', async () => {
  const { entries, decode, stop, close } = await serve();
  stack.kms.emulator.injectFault({ effect: { kind: 'hang' } });
  const client = new AbortController();
  const response = decode(client.signal).then(
    (answer) => answer.text(),
    () => undefined,
  );
  await expect.poll(() => outcomes(entries)).toEqual(['intent']);
  await new Promise((resolve) => setTimeout(resolve, 100));
  client.abort();
  await response.catch(() => undefined);
  await expect.poll(() => outcomes(entries), { timeout: 5_000 }).toEqual(['intent', 'cut_off']);
  stack.kms.emulator.clearFaults();
  await stop();
  await close();
});

it('writes the outcome of a stream that a shutdown ends, before the process exits', async () => {
  const { entries, decode, stop, close } = await serve();
  stack.kms.emulator.injectFault({ effect: { kind: 'hang' } });
  const answer = decode().then((response) => response.text());
  await expect.poll(() => outcomes(entries)).toEqual(['intent']);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await stop();
  expect(outcomes(entries)).toEqual(['intent', 'shutdown']);
  expect((await answer).trimEnd().split('\n').at(-1)).toContain('"reason":"shutdown"');
  stack.kms.emulator.clearFaults();
  await close();
});

it('writes the outcome of a stream that the expiry of the token ends', async () => {
  const { entries, decode, stop, close } = await serve({
    ...openAccess,
    authenticate: () => ({ name: 'ana', expiresAt: Date.now() + 2_000 }),
  });
  stack.kms.emulator.injectFault({ effect: { kind: 'hang' } });
  const text = await (await decode()).text();
  expect(text.trimEnd().split('\n').at(-1)).toContain('"reason":"signed_out"');
  expect(outcomes(entries)).toEqual(['intent', 'signed_out']);
  stack.kms.emulator.clearFaults();
  await stop();
  await close();
});
