import type { Payload } from '@temporal-kms/histories/payloads';
import { expect, it } from 'vitest';
import { reencryptSchedules } from '../../src/destroy/reencrypt-schedules.ts';
import { payloadOf } from '../support/messages.ts';
import { referenceTo } from '../support/stored.ts';

/** Re-encrypts the one schedule of a server that drops the first updates although their calls succeed. */
async function reencrypt(drops: number, decrypted?: Payload) {
  let schedule: any = {
    action: {
      startWorkflow: { workflowId: 'w', input: { payloads: [payloadOf({ version: 1, named: true })] } },
    },
  };
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
    isCurrent: (_, version) => version === 2,
    pollMs: 1,
  });
  return { found, updates };
}

it('reencryptSchedules resends an update that the server dropped', async () => {
  for (const drops of [0, 1, 4])
    expect(await reencrypt(drops)).toEqual({
      found: [{ scheduleId: 'nightly', outcome: 'done', remaining: [], stored: [] }],
      updates: drops + 1,
    });
});

it('reencryptSchedules does not report an update as done if the server keeps dropping the update', async () => {
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

it('reencryptSchedules does not write a reference in plaintext that a proxy has encrypted', async () => {
  const { found, updates } = await reencrypt(0, referenceTo({ object: 'x', bytes: Buffer.of() }));
  expect([updates, found]).toMatchObject([0, [{ outcome: 'external_reference' }]]);
});
