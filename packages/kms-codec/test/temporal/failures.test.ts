import { randomUUID } from 'node:crypto';
import type { PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';
import type { WorkerOptions } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { KeyRules, type KmsCodec, type KmsCodecOptions, type ReasonCode } from '../../src/index.ts';
import type { Payload } from '../../src/formats/payload.ts';
import { cryptoKey, inNamespace, json } from '../support/codec.ts';
import { createActivities } from './support/activities.ts';
import { failureOf } from '@temporal-kms/testing/history';
import { CARD, failedTaskTypes, encryptedHistory } from './support/history.ts';
import {
  activityIdentity,
  payments,
  type formerKeys,
  rules,
  shippingNamespace,
  type Stack,
  startStack,
  taskQueue,
  withId,
} from './support/stack.ts';
import * as workflows from './support/workflows.ts';

const { Payloads } = proto.temporal.api.common.v1;
const version = (key: string) => `${cryptoKey(key)}/cryptoKeyVersions/1`;

const untouched = (payload: Payload) => payload;

let stack: Stack;
let starter: KmsCodec;
/** Changes the inputs of activities, as an attacker with write access to Temporal's store could. */
let tamper: (payload: Payload) => Payload = untouched;

beforeAll(async () => {
  stack = await startStack();
  starter = stack.codec();
  const storage: PayloadCodec = {
    encode: (payloads, context) =>
      Promise.resolve(context?.type === 'activity' ? payloads.map((payload) => tamper(payload)) : payloads),
    decode: (payloads) => Promise.resolve(payloads),
  };
  // The plugin adds its codec after the existing codec.
  const dataConverter = { payloadCodecs: [stack.codec(), storage] };
  await stack.work({
    codec: starter,
    taskQueue,
    workflowBundle: stack.bundle,
    dataConverter,
    activities: createActivities(),
  });
  await restore();
  // Lets the client and the worker cache each other's data keys.
  await client().workflow.execute(workflows.order, withId('first', CARD));
});
afterEach(restore);
afterAll(() => stack.close());

async function restore() {
  tamper = untouched;
  stack.kms.reset();
  await allowActivities('roles/cloudkms.cryptoKeyEncrypterDecrypter');
}

const allowActivities = (role: string) =>
  stack.kms.setPolicy('projects/p', [
    { role, members: [activityIdentity] },
    { role: 'roles/cloudkms.viewer', members: [activityIdentity] },
  ]);

const client = () => stack.client(payments, starter);

const changed = (change: (data: Buffer) => Buffer) => (payload: Payload) => ({
  ...payload,
  data: change(Buffer.from(payload.data ?? [])),
});

const flip = (at: number) =>
  changed((data) => {
    const index = at < 0 ? data.length + at : at;
    data[index] = data[index]! ^ 1;
    return data;
  });

/**
 * Starts a workflow whose activity runs on another worker. That worker has a data key from `warm` but has
 * decrypted nothing.
 *
 * @param before called once the worker polls, before the workflow starts
 */
async function startElsewhere(before?: () => unknown, options: Partial<KmsCodecOptions> = {}) {
  const codec = stack.codec({ emulatorHost: stack.kms.identities[activityIdentity]!, ...options });
  await codec.warm(payments);
  const queue = randomUUID();
  const worker = await stack.work({ codec, taskQueue: queue, activities: createActivities() });
  await before?.();
  const handle = await client().workflow.start(workflows.elsewhere, withId(queue, queue, CARD));
  return { handle, worker, workflowId: queue };
}

interface Case {
  readonly code: ReasonCode;
  readonly because: string;
  readonly before?: () => unknown;
  readonly options?: Partial<KmsCodecOptions>;
}

/** Returns codec options that limit how long an activity's attempt waits for Cloud KMS. */
const waiting = (activity: number): Partial<KmsCodecOptions> => ({ waitMs: { activity } });

const onlyRule = (rule: object): Partial<KmsCodecOptions> => ({
  rules: new KeyRules({ [payments]: { ...rules[payments], ...rule } }),
});

const decryptFails = (status: 'UNAVAILABLE' | 'RESOURCE_EXHAUSTED') =>
  stack.kms.injectFault({ effect: { kind: 'error', status }, method: 'Decrypt', identity: activityIdentity });

/**
 * Gives the activity a message whose key version was enabled when the message was encrypted but is now
 * disabled or destroyed.
 */
async function encryptUnder(key: (typeof formerKeys)[number], stateNow: 'DISABLED' | 'DESTROYED') {
  const codec = stack.codec(onlyRule({ encrypt: cryptoKey(key) }));
  const [encrypted] = await codec.encode([json(CARD)], inNamespace(payments));
  tamper = () => encrypted!;
  await stack.kms.setVersionState(version(key), stateNow);
}

describe('an activity whose input cannot be decrypted', () => {
  const permanent: Case[] = [
    { code: 'integrity_failed', because: 'it was modified', before: () => (tamper = flip(-1)) },
    {
      code: 'malformed',
      because: 'it was cut',
      before: () => (tamper = changed((data) => data.subarray(0, 40))),
    },
    {
      code: 'key_destroyed',
      because: 'its key version is destroyed',
      before: () => encryptUnder('payments-2024', 'DESTROYED'),
    },
  ];
  it.each(permanent)('fails without a retry with $code: $because', async ({ code, before, options }) => {
    const { handle } = await startElsewhere(before, options);
    expect(await failureOf(handle.result())).toMatchObject({
      cause: { retryState: 'NON_RETRYABLE_FAILURE', cause: { type: `KmsCodecError:${code}` } },
    });
  });

  const passing: Case[] = [
    {
      code: 'key_disabled',
      because: 'its key version is disabled',
      before: () => encryptUnder('payments-2025', 'DISABLED'),
    },
    {
      code: 'permission_denied',
      because: 'the identity may only encrypt',
      before: () => allowActivities('roles/cloudkms.cryptoKeyEncrypter'),
    },
    {
      code: 'key_not_allowed',
      because: "its key isn't listed",
      options: onlyRule({ encrypt: cryptoKey('payments-2023'), decrypt: [] }),
    },
    {
      code: 'format_not_allowed',
      because: 'the rule does not read its format',
      options: onlyRule({ reads: ['envelope'] }),
    },
    {
      code: 'kms_unavailable',
      because: 'Cloud KMS is unavailable',
      before: () => decryptFails('UNAVAILABLE'),
      options: waiting(200),
    },
    {
      code: 'kms_quota',
      because: 'the quota is exhausted',
      before: () => decryptFails('RESOURCE_EXHAUSTED'),
      options: waiting(2_000),
    },
  ];
  it.each(passing)('is retried with $code: $because', async ({ code, before, options }) => {
    const { handle } = await startElsewhere(before, options);
    expect(await failureOf(handle.result())).toMatchObject({
      cause: { retryState: 'MAXIMUM_ATTEMPTS_REACHED', cause: { type: `KmsCodecError:${code}` } },
    });
  });
});

const readsShipping = { decrypt: [cryptoKey(shippingNamespace)] };

/**
 * A later version of the codec, which also reads version 3 of the format. In this test, version 3 is version
 * 2 with a different first byte.
 */
const later = (codec: KmsCodec): PayloadCodec => ({
  encode: async (payloads, context) => await codec.encode(payloads, context),
  decode: async (payloads, context) => {
    const known = payloads.map((payload) => (payload.data?.[0] === 3 ? flip(0)(payload) : payload));
    return await codec.decode(known, context);
  },
});

describe('an activity that fails for a reason that an administrator can resolve', () => {
  const cases: (Case & { readonly update?: typeof later })[] = [
    {
      code: 'unsupported_version',
      because: 'a later version of this library encrypted its input',
      before: () => (tamper = flip(0)),
      update: later,
    },
    {
      code: 'namespace_mismatch',
      because: 'its worker does not accept the namespace of its input',
      options: onlyRule({ ...readsShipping, accepts: [] }),
      before: async () => {
        const [encrypted] = await stack.codec().encode([json(CARD)], inNamespace(shippingNamespace));
        tamper = () => encrypted!;
      },
    },
    { code: 'too_large', because: 'its worker has a low size limit', options: { maxPayloadBytes: 20 } },
  ];
  it.each(cases)(
    'is retried with $code until the problem is resolved, and then completes: $because',
    async (one) => {
      const queue = randomUUID();
      const work = async (codec: KmsCodec, options?: Partial<WorkerOptions>) =>
        await stack.work({ codec, taskQueue: queue, activities: createActivities(), ...options });
      const misconfigured = await work(stack.codec(one.options));
      await one.before?.();
      const handle = await client().workflow.start(workflows.elsewhere, withId(queue, queue, CARD, 1_000));
      const pending = async () => (await handle.describe()).raw.pendingActivities?.[0];
      const attempt = async () => (await pending())?.attempt ?? 0;
      await expect.poll(attempt, { timeout: 40_000 }).toBeGreaterThanOrEqual(3);
      expect(await pending()).toMatchObject({
        lastFailure: { applicationFailureInfo: { type: `KmsCodecError:${one.code}` } },
      });
      await misconfigured.stop();
      const codec = stack.codec(onlyRule(readsShipping));
      const updated = one.update && {
        plugins: [],
        dataConverter: { payloadCodecs: [one.update(codec.forNamespace(payments))] },
      };
      await work(codec, updated);
      expect(await handle.result()).toBe(`charged ${CARD}`);
    },
    120_000,
  );
});

const decryptsOf = (identity: string) =>
  stack.kms.calls
    .rows('Decrypt')
    .filter((row) => row.identity === identity)
    .reduce((sum, { count }) => sum + count, 0);

describe('a Cloud KMS outage', () => {
  it('delays the decoding of an activity’s input without using up an attempt', async () => {
    const { handle, workflowId } = await startElsewhere(() => decryptFails('UNAVAILABLE'));
    await expect.poll(() => decryptsOf(activityIdentity), { timeout: 40_000 }).toBeGreaterThan(3);
    stack.kms.clearFaults();
    expect(await handle.result()).toBe(`charged ${CARD}`);
    const { events } = await encryptedHistory(client(), workflowId);
    const attempts = events!.flatMap(
      ({ activityTaskStartedEventAttributes: started }) => started?.attempt ?? [],
    );
    expect(attempts).toEqual([1]);
  });

  it('does not stop a worker with cached data keys from encrypting results and failures', async () => {
    stack.kms.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
    const order = client().workflow.execute(workflows.order, withId('meanwhile', CARD));
    expect(await order).toBe(`charged ${CARD}, no risk with ${CARD}`);
    const refused = client().workflow.execute(workflows.refused, withId('refused-meanwhile', CARD));
    expect((await failureOf(refused)).cause?.cause).toMatchObject({ message: `refused ${CARD}` });
    await encryptedHistory(client(), 'refused-meanwhile');
  });
});

it('a workflow stays open while its key is disabled, and continues once the key is enabled', async () => {
  const stranger = stack.codec();
  await stranger.warm(payments);
  await stack.kms.setVersionState(version(payments), 'DISABLED');
  const handle = await stack.client(payments, stranger).workflow.start(workflows.order, {
    taskQueue,
    workflowId: 'locked',
    args: [CARD],
    // A history records only the first failure of a workflow task, which must not be a timeout here.
    workflowTaskTimeout: '5 seconds',
  });
  await expect
    .poll(async () => failedTaskTypes(await encryptedHistory(client(), 'locked')), { timeout: 40_000 })
    .toContain('KmsCodecError:key_disabled');
  await stack.kms.setVersionState(version(payments), 'ENABLED');
  expect(await handle.result()).toBe(`charged ${CARD}, no risk with ${CARD}`);
});

it("the codec encrypts payloads above Temporal's size limit, and Temporal's error contains the encoded size", async () => {
  const length = 2_500_000;
  const run = client().workflow.execute(workflows.large, withId('large', length));
  expect((await failureOf(run)).cause?.cause).toMatchObject({
    type: 'PayloadsTooLarge',
    message: expect.stringContaining('TMPRL1103'),
  });
  const payloads = await starter.encode([json('x'.repeat(length))], inNamespace(payments));
  const encodedSize = Payloads.encode({ payloads }).finish().length;
  // The worker's native code delivers its log messages with a delay.
  await expect
    .poll(() => stack.logs.find(({ message }) => message.includes('TMPRL1103'))?.meta, { timeout: 30_000 })
    .toMatchObject({ size: encodedSize, limit: 2 * 2 ** 20 });
});

describe('a worker that cannot encrypt an activity’s failure', () => {
  it('keeps running, and stores the failure without its message and details', async () => {
    const queue = 'reads-only';
    const codec = stack.codec({ rules: new KeyRules({ [payments]: { decrypt: [cryptoKey(payments)] } }) });
    const worker = await stack.work({ codec, taskQueue: queue, activities: createActivities() });
    for (const workflowId of ['unencrypted-failure-1', 'unencrypted-failure-2']) {
      const handle = await client().workflow.start(
        workflows.refusedElsewhere,
        withId(workflowId, queue, CARD),
      );
      await expect(handle.result()).rejects.toMatchObject({
        cause: {
          name: 'ActivityFailure',
          cause: { type: 'Refused', message: expect.stringContaining('could not be encrypted') },
        },
      });
      await encryptedHistory(client(), workflowId);
    }
    // Rejects if an error has ended the worker.
    await worker.stop();
  });
});
