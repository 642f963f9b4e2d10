import { setTimeout as sleep } from 'node:timers/promises';
import { createAudit } from '@temporal-kms/audit';
import type { AuditEntry } from '@temporal-kms/codec-api';
import { expect, it } from 'vitest';
import { forFile } from '../support/for-file.ts';
import { keys, recordedAudit } from '../support/stack.ts';
import { NAMESPACE, postTo, runOf, runPath, startStack } from '../support/temporal.ts';

const stack = forFile(await startStack());
const run = await runOf(await stack.start('everywhere', ['value'], { taskQueue: 'no-worker' }));

/** Starts a server with empty caches that records its audit entries. */
async function serve() {
  const { audit, entries } = recordedAudit();
  const stopping = new AbortController();
  // The codec waits for Cloud KMS so long that only the client or the server can end a stream.
  const other = stack.kms.another(undefined, 600_000);
  const server = await stack.serve({ codec: other.codec, audit, stopping: stopping.signal });
  const decode = (signal?: AbortSignal) =>
    fetch(`http://127.0.0.1:${server.port}${runPath(run)}/payloads:decode`, {
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
        await sleep(50);
        entries.push(entry);
        order.push(entry.event);
      },
    }),
  });
  const body = { refs: ['1:0'], justification: 'ticket 4711' };
  await (await postTo(app, run, 'payloads:decode', body)).text();
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
  await sleep(100);
  client.abort();
  await response.catch(() => undefined);
  await expect.poll(() => outcomes(entries)).toEqual(['intent', 'cut_off']);
  stack.kms.emulator.clearFaults();
  await stop();
  await close();
});

it('writes the outcome of a stream that a shutdown ends, before the process exits', async () => {
  const { entries, decode, stop, close } = await serve();
  stack.kms.emulator.injectFault({ effect: { kind: 'hang' } });
  const answer = decode().then((response) => response.text());
  await expect.poll(() => outcomes(entries)).toEqual(['intent']);
  await sleep(100);
  await stop();
  expect(outcomes(entries)).toEqual(['intent', 'shutdown']);
  expect((await answer).trimEnd().split('\n').at(-1)).toContain('"reason":"shutdown"');
  stack.kms.emulator.clearFaults();
  await close();
});
