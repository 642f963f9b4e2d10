import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadKmsCodec, messageKey } from '@temporal-kms/kms-codec';
import { leaksIn } from '@temporal-kms/testing/canaries';
import { payloadsIn } from '@temporal-kms/testing/history';
import type { Payload } from '@temporalio/common';
import { describe, expect, it, vi } from 'vitest';
import {
  KEY,
  rotate,
  type RunOptions,
  startCloud,
  temporalKms,
  temporaryFolder,
  variables,
} from '../support/cli.ts';
import { canary, createSchedule as createScheduleWith, plain, startRun } from '../support/scanned.ts';
import { startStore } from '../support/stored.ts';
import { useTemporal } from '../support/temporal.ts';

const temporal = useTemporal();

const HOUR = 3_600_000;
const namespace = 'default';

async function startDrainable() {
  const cloud = await startCloud();
  const env = {
    ...variables,
    KMS_BIND_WORKFLOW: 'true',
    KMS_EMULATOR_HOST: cloud.emulator.address,
    TEMPORAL_ADDRESS: temporal.address,
  };
  const withCodec = async <T>(use: (codec: ReturnType<typeof loadKmsCodec>) => Promise<T>): Promise<T> => {
    const codec = loadKmsCodec({ namespace, env });
    try {
      return await use(codec);
    } finally {
      await codec.close();
    }
  };
  const encrypt = (workflowId: string) =>
    withCodec(
      async (codec) => (await codec.encode([plain()], { type: 'workflow', namespace, workflowId }))[0]!,
    );
  const options = ['--state', join(await temporaryFolder(), 'state'), '--settle', '3'];
  const run = (args: readonly string[], hours = 0, more: RunOptions = {}, form = ['--json']) =>
    temporalKms([...args, ...options, ...form], {
      env,
      now: () => new Date(Date.now() + hours * HOUR),
      ...more,
    });
  return { cloud, withCodec, encrypt, run };
}

/** Deletes a run, and waits until Temporal no longer lists the run. */
async function deleteRun(workflowId: string): Promise<void> {
  const { workflowService } = temporal.connection;
  await workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId } });
  const query = `WorkflowId = "${workflowId}"`;
  while ((await workflowService.listWorkflowExecutions({ namespace, query })).executions.length > 0)
    await sleep(200);
}

/** Creates a schedule whose second argument is in plaintext. */
const createSchedule = (scheduleId: string, argument: Payload, memo: Payload, ownMemo?: Payload) =>
  createScheduleWith(temporal.connection, namespace, scheduleId, [argument, plain()], memo, ownMemo);

/** Returns everything in a schedule except what `drain` re-encrypts. */
const rest = ({ action, ...other }: any) =>
  JSON.stringify([other, { ...action.startWorkflow, input: 0, memo: 0 }]);

const describeSchedule = (scheduleId: string) =>
  temporal.connection.workflowService.describeSchedule({ namespace, scheduleId });

/** Returns the expected result for a schedule whose own memo still needs the version. */
const kept = (scheduleId: string, outcome: string) => ({
  namespace,
  scheduleId,
  outcome,
  remaining: ['memo.fields.team'],
  stored: [],
});

/** Returns the expected field for a schedule's argument that is a reference to an object. */
const storedField = (index: number, reason?: string) => ({
  path: `schedule.action.startWorkflow.input.payloads[${index}]`,
  ...(reason !== undefined && { reason }),
});

describe('drain', () => {
  it('shows what still needs a version, re-encrypts schedules, and shows when the version becomes free', async () => {
    const { cloud, withCodec, encrypt, run } = await startDrainable();
    const scheduleId = `schedule-${randomUUID()}`;
    const message = await encrypt(`of-${scheduleId}`);
    await createSchedule(scheduleId, message, message);
    const workflowId = `closed-${randomUUID()}`;
    await startRun(temporal.connection, namespace, workflowId, await encrypt(workflowId));
    await temporal.connection.workflowService.terminateWorkflowExecution({
      namespace,
      workflowExecution: { workflowId },
    });
    await rotate(cloud);

    const before = await run(['drain']);
    const [waiting] = before.json().versions;
    expect([before.code, waiting.version, waiting.freeOn]).toEqual([75, 1, null]);
    expect(waiting.waitsFor.map(({ place, histories }: any) => [place, histories.newest.workflowId])).toEqual(
      [
        ['closed', workflowId],
        ['schedules', scheduleId],
      ],
    );

    const { schedule: old } = await describeSchedule(scheduleId);
    const after = await run(['drain', '1', '--reencrypt'], 1);
    expect(after.json().schedules).toEqual([
      { namespace, scheduleId, outcome: 'done', remaining: [], stored: [] },
    ]);
    const { schedule } = await describeSchedule(scheduleId);
    const messages = payloadsIn(schedule).filter((payload) => messageKey(payload).format === 'envelope-v2');
    expect(messages.map((payload) => messageKey(payload).keyVersion)).toEqual([2, 2]);
    await withCodec(async (codec) => {
      const context = { type: 'workflow' as const, namespace, workflowId: `of-${scheduleId}` };
      for (const decoded of await codec.decode(messages, context)) expect(decoded.data).toEqual(plain().data);
    });
    // The rest of the schedule is unchanged.
    expect(rest(schedule)).toBe(rest(old));

    const [closed] = after.json().versions;
    const { config } = await temporal.connection.workflowService.describeNamespace({ namespace });
    const retention = Number(config!.workflowExecutionRetentionTtl!.seconds) * 1000;
    const removed = Date.parse(closed.waitsFor[0].histories.newest.closeTime) + retention;
    expect(closed.waitsFor.map(({ place, until }: any) => [place, until])).toEqual([
      ['closed', new Date(removed).toISOString()],
    ]);
    expect([after.code, Date.parse(closed.freeOn) >= removed]).toEqual([75, true]);
    expect(leaksIn(after.out + after.err, [canary])).toEqual([]);
    expect((await run(['drain', '1', '--reencrypt'], 1)).json().schedules).toEqual([]);

    await deleteRun(workflowId);
    const free = await run(['drain'], 30);
    expect([free.code, free.json().versions[0].isFree]).toEqual([0, true]);
    await cloud.owner.destroyCryptoKeyVersion({ name: `${KEY}/cryptoKeyVersions/1` });
  });

  it('rescans with --watch until the version is free, even after an outage', async () => {
    const { cloud, encrypt, run } = await startDrainable();
    const workflowId = `open-${randomUUID()}`;
    await startRun(temporal.connection, namespace, workflowId, await encrypt(workflowId));
    await rotate(cloud);
    // This scan records that the new version is primary.
    await run(['drain']);

    const seen: string[] = [];
    const whenSeen = async (text: string, act: () => Promise<unknown>): Promise<void> => {
      await vi.waitUntil(() => seen.join('').includes(text), { timeout: 120_000 });
      seen.length = 0;
      await act();
    };
    const watch = run(['drain', '1', '--watch', '--every', '1'], 30, {
      onProgress: (text) => seen.push(text),
    });
    const { emulator } = cloud;
    const events = (async () => {
      await whenSeen('until these runs have closed', async () =>
        emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } }),
      );
      await whenSeen('The next scan follows in 1 second', async () => emulator.clearFaults());
      await whenSeen('until these runs have closed', () => deleteRun(workflowId));
    })();
    const { code, json } = await watch;
    await events;
    expect([code, json().versions]).toMatchObject([0, [{ version: 1, isFree: true, waitsFor: [] }]]);
  });

  it('leaves a schedule unchanged if the schedule’s messages cannot be decrypted', async () => {
    const { cloud, encrypt, run } = await startDrainable();
    const scheduleId = `schedule-${randomUUID()}`;
    await createSchedule(scheduleId, await encrypt('another-workflow'), await encrypt(`of-${scheduleId}`));
    await rotate(cloud);
    const { schedule: before } = await describeSchedule(scheduleId);
    const { code, json } = await run(['drain', '--reencrypt']);
    expect([code, json().schedules]).toEqual([
      75,
      [
        {
          namespace,
          scheduleId,
          outcome: 'workflow_mismatch',
          remaining: ['input.payloads[0]', 'memo.fields.note'].map(
            (path) => `schedule.action.startWorkflow.${path}`,
          ),
          stored: [],
        },
      ],
    ]);
    expect((await describeSchedule(scheduleId)).schedule).toEqual(before);
    await temporal.connection.workflowService.deleteSchedule({ namespace, scheduleId });
  });

  it('leaves messages under other versions unchanged, and names the fields that still need the version', async () => {
    const { cloud, encrypt, run } = await startDrainable();
    const [other, own] = [`other-${randomUUID()}`, `own-${randomUUID()}`];
    const first = await encrypt(`of-${own}`);
    await rotate(cloud);
    const second = await encrypt(`of-${other}`);
    await createSchedule(other, second, second, second);
    await createSchedule(own, await encrypt(`of-${own}`), first, first);
    await rotate(cloud);
    const { schedule: before } = await describeSchedule(other);
    const schedules = async (...args: string[]) =>
      (await run(['drain', ...args, '--reencrypt'])).json().schedules;
    expect(await schedules('1')).toEqual([kept(own, 'done')]);
    expect((await describeSchedule(other)).schedule).toEqual(before);
    const versions = payloadsIn((await describeSchedule(own)).schedule).map(
      (payload) => messageKey(payload).keyVersion,
    );
    expect(versions.filter((version) => version !== undefined)).toEqual([2, 3]);
    expect(await schedules('1')).toEqual([kept(own, 'not possible')]);
    expect(await schedules()).toEqual(expect.arrayContaining([kept(own, 'done'), kept(other, 'done')]));
    for (const scheduleId of [other, own])
      await temporal.connection.workflowService.deleteSchedule({ namespace, scheduleId });
  });

  it('leaves references and objects unchanged, and names the objects that need the version or could not be read', async () => {
    const { cloud, encrypt, run } = await startDrainable();
    const store = await startStore(namespace);
    const scheduleId = `stored-${randomUUID()}`;
    const storeNew = async (runId: string) => store.store(await encrypt(`of-${scheduleId}`), { runId });
    const [inline, old, gone] = [await encrypt(`of-${scheduleId}`), await storeNew('1'), await storeNew('2')];
    await store.remove(gone);
    await rotate(cloud);
    const references = [old, await storeNew('3'), gone].map(({ reference }) => reference);
    await createScheduleWith(temporal.connection, namespace, scheduleId, [inline, ...references], inline);
    const reencrypt = ['drain', '1', '--reencrypt', '--namespace', namespace];
    const drained = await run([...reencrypt, '--external-storage', store.file]);
    expect(drained.json().schedules).toEqual([
      {
        namespace,
        scheduleId,
        outcome: 'done',
        remaining: [],
        stored: [storedField(1), storedField(3, 'storage_not_found')],
      },
    ]);
    const { schedule } = await describeSchedule(scheduleId);
    const [first, ...others] = schedule!.action!.startWorkflow!.input!.payloads!;
    expect(messageKey(first!).keyVersion).toBe(2);
    expect(
      others.map(({ data, externalPayloads }) => [data, Number(externalPayloads![0]!.sizeBytes)]),
    ).toEqual(
      references.map(({ data, externalPayloads }) => [data, Number(externalPayloads![0]!.sizeBytes)]),
    );
    const { out } = await run(reencrypt, 0, {}, []);
    expect(out).toContain('not re-encrypted (not possible)');
    for (const index of [1, 2, 3])
      expect(out).toContain(
        `may need the version: ${storedField(index).path}, whose object was not read (external_reference)`,
      );
    await temporal.connection.workflowService.deleteSchedule({ namespace, scheduleId });
  });

  it('checks the version and the report before changing a schedule', async () => {
    const { cloud, encrypt, run } = await startDrainable();
    const scheduleId = `schedule-${randomUUID()}`;
    const message = await encrypt(`of-${scheduleId}`);
    await createSchedule(scheduleId, message, message);
    await rotate(cloud);
    await cloud.owner.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} });
    await cloud.emulator.setVersionState(`${KEY}/cryptoKeyVersions/3`, 'DESTROYED');
    const { schedule: before } = await describeSchedule(scheduleId);
    for (const wrong of [['9'], ['3'], ['1', '--report', 'no-report.json']])
      expect((await run(['drain', '--reencrypt', ...wrong])).code).toBe(66);
    expect((await describeSchedule(scheduleId)).schedule).toEqual(before);
    await temporal.connection.workflowService.deleteSchedule({ namespace, scheduleId });
  });

  it('refuses a version that does not exist, and --watch for the primary version or in combination with a report', async () => {
    const { run } = await startDrainable();
    expect((await run(['drain', '9'])).code).toBe(66);
    expect((await run(['drain', '--watch', '--report', 'x.json'])).code).toBe(64);
    expect((await run(['drain', '--watch', '--every', '0'])).code).toBe(64);
    const primary = await run(['drain', '1', '--watch']);
    expect([primary.code, primary.out]).toEqual([64, expect.stringContaining('is primary')]);
  });
});
