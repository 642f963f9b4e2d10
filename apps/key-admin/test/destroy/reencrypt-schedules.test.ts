import type { Payload } from '@temporal-kms/histories/payloads';
import { expect, it } from 'vitest';
import { type Reencryption, reencryptSchedules } from '../../src/destroy/reencrypt-schedules.ts';
import { payloadOf } from '../support/messages.ts';
import { referenceTo, startStore } from '../support/stored.ts';

/**
 * Re-encrypts the only schedule of a server that ignores the first updates, but reports that they succeeded.
 */
async function reencrypt(
  drops: number,
  {
    decrypted,
    payloads = [payloadOf({ version: 1, named: true })],
    storage,
  }: { decrypted?: Payload; payloads?: Payload[]; storage?: Reencryption['storage'] } = {},
) {
  let schedule: any = { action: { startWorkflow: { workflowId: 'w', input: { payloads } } } };
  let updates = 0;
  const workflowService = {
    listSchedules: async () => ({ schedules: [{ scheduleId: 'nightly' }], nextPageToken: new Uint8Array() }),
    describeSchedule: async () => ({ schedule, conflictToken: Buffer.of(updates) }),
    updateSchedule: async (request: any) => {
      updates += 1;
      if (updates > drops) schedule = request.schedule;
    },
  };
  const codec: any = {
    decrypt: async (payload: Payload) => ({ payload: decrypted ?? payload }),
    encode: async () => [payloadOf({ version: 2, named: true })],
  };
  const connection: any = { withDeadline: (_: number, call: () => unknown) => call(), workflowService };
  const found = await reencryptSchedules({
    connection,
    namespace: 'payments',
    codec,
    storage,
    isCurrent: (_, version) => version === 2,
    pollMs: 1,
  });
  return { found, updates };
}

it('resends an update that the server ignored', async () => {
  for (const drops of [0, 1, 4])
    expect(await reencrypt(drops)).toEqual({
      found: [{ scheduleId: 'nightly', outcome: 'done', remaining: [], stored: [] }],
      updates: drops + 1,
    });
});

it('does not report an update as done if the server keeps ignoring the update', async () => {
  const { found } = await reencrypt(Infinity);
  expect(found).toEqual([
    {
      scheduleId: 'nightly',
      outcome: 'changed meanwhile',
      remaining: ['schedule.action.startWorkflow.input.payloads[0]'],
      stored: [],
    },
  ]);
});

it('leaves a schedule unchanged if temporal-proxy encrypted the reference to its input, because the codec would write the reference in plaintext', async () => {
  const { found, updates } = await reencrypt(0, {
    decrypted: referenceTo({ object: 'x', bytes: Buffer.of() }),
  });
  expect([updates, found]).toMatchObject([0, [{ outcome: 'external_reference' }]]);
});

it('names the references to objects that need the version, or may need it because they cannot be read', async () => {
  const store = await startStore('payments');
  const current = payloadOf({ version: 2, named: true });
  const marked = {
    ...current,
    metadata: { ...current.metadata, __temporal_external_storage_reference: Buffer.from('true') },
  };
  const [read, old, hiding] = await Promise.all(
    [current, payloadOf({ version: 1, named: true }), marked].map((payload) => store.store(payload)),
  );
  const nested = await store.store(referenceTo({ ...read!, size: null }));
  const { found } = await reencrypt(0, {
    storage: store.open(),
    payloads: [
      read!.reference,
      old!.reference,
      hiding!.reference,
      nested.reference,
      marked,
      ...[read!, old!].map((object) => referenceTo({ ...object, size: 4 })),
      referenceTo({ ...read!, size: 0 }),
    ],
  });
  expect(found).toMatchObject([{ outcome: 'not possible', remaining: [] }]);
  expect(found[0]?.stored.map(({ path, reason }) => [path.match(/\d+/)?.[0], reason])).toEqual([
    ['1', undefined],
    ['2', 'external_reference'],
    ['3', 'malformed'],
    ['4', 'external_reference'],
    ['5', 'storage_altered'],
    ['6', 'storage_altered'],
  ]);
});
