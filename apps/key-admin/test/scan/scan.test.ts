import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { scanReport } from '@temporal-kms/codec-api';
import { payloadsIn, readHistory } from '@temporal-kms/testing/history';
import { leaksIn } from '@temporal-kms/testing/canaries';
import { Client } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { describe, expect, it, vi } from 'vitest';
import { startGcs } from '@temporal-kms/scripts/gcs';
import { afterwards, KEY, rotate, temporalKms, temporaryFolder } from '../support/cli.ts';
import { cloudExport } from '../support/histories.ts';
import { canary, createSchedule, needs, plain, seconds, startNamespace } from '../support/scanned.ts';
import { useTemporal } from '../support/temporal.ts';

const temporal = useTemporal();

/** Writes histories into a file in the form of Temporal Cloud's exports. */
async function exportFile(path: string, namespace: string, workflowIds: readonly string[]): Promise<void> {
  const read = (workflowId: string) => readHistory(temporal.connection, namespace, { workflowId });
  await writeFile(path, cloudExport(await Promise.all(workflowIds.map(read))));
}

describe('scan', () => {
  it('counts the open runs, closed runs and schedules that need each key version', async () => {
    const { namespace, cloud, env, encrypt, start, terminate, scan, state } = await startNamespace(temporal);
    const [first, direct, envelope] = [await encrypt(), await encrypt('direct'), await encrypt('envelope')];
    await start('open-1', first);
    await start('closed-1', first, { memo: { fields: { customer: first } } });
    await terminate('closed-1');
    await start('closed-direct', direct);
    await terminate('closed-direct', envelope);
    await createSchedule(temporal.connection, namespace, 'monthly', [first], first);
    const second = await rotate(cloud);
    const next = await encrypt();
    await start('open-2', next);
    await start('closed-2', next);
    // This closed run has payloads under both versions.
    await terminate('closed-2', first);
    await start('in-plaintext', plain());
    await rotate(cloud);
    await cloud.owner.updateCryptoKeyVersion({
      cryptoKeyVersion: { name: `${KEY}/cryptoKeyVersions/1`, state: 'DISABLED' },
      updateMask: { paths: ['state'] },
    });
    await cloud.owner.destroyCryptoKeyVersion({ name: `${KEY}/cryptoKeyVersions/${second}` });
    const exports = await temporaryFolder();
    await mkdir(join(exports, '2030', '01'), { recursive: true });
    await exportFile(join(exports, '2030', '01', 'histories.proto'), namespace, ['closed-1', 'closed-2']);

    const { code, report, out, err } = await scan('--exports', exports);
    const [found] = report.namespaces;
    expect(needs(found!.keys)).toEqual({
      'workflow-encryption 1': { open: [1, 1], closed: [2, 3], schedules: [1, 2], exports: [2, 3] },
      'workflow-encryption 2': { open: [1, 1], closed: [1, 1], exports: [1, 1] },
      'workflow-encryption -': { closed: [1, 2] },
    });
    const counted = Object.values(found!.looked).map(({ histories }) => histories);
    expect([found!.complete, found!.gaps, counted]).toEqual([true, [], [3, 3, 1, 0, 2]]);
    // Version 2 is needed, but it is scheduled for destruction.
    expect([code, err]).toEqual([1, expect.stringMatching(/need version 2 [^]* versions restore 2 /)]);
    await cloud.emulator.setVersionState(`${KEY}/cryptoKeyVersions/2`, 'DESTROYED');
    const args = ['scan', '--namespace', namespace, '--state', state, '--settle', '0'];
    const lost = await temporalKms(args, { env: { ...env, TEMPORAL_ADDRESS: temporal.address } });
    expect([lost.code, lost.out]).toEqual([1, expect.stringMatching(/^LOST: .* version 2 .*destroyed/m)]);
    expect(found!.findings.map(({ kind, places }) => [kind, Object.keys(places)])).toEqual(
      expect.arrayContaining([
        ['plaintext', ['open']],
        ['older_format', ['closed']],
      ]),
    );
    expect(report.cryptoKeys[0]).toMatchObject({
      primary: 3,
      versions: expect.arrayContaining([
        expect.objectContaining({ version: 1, state: 'DISABLED', notPrimarySince: expect.any(String) }),
        expect.objectContaining({ version: 2, state: 'DESTROY_SCHEDULED' }),
      ]),
    });
    expect(leaksIn(out, [canary])).toEqual([]);
    expect(cloud.emulator.calls.count('Decrypt')).toBe(0);
  });

  it('reads exports in Cloud Storage, and reports a bucket that it cannot read', async () => {
    const { namespace, encrypt, start, terminate, scan } = await startNamespace(temporal);
    await start('exported', await encrypt());
    await terminate('exported');
    const file = join(await temporaryFolder(), 'histories.proto');
    await exportFile(file, namespace, ['exported']);
    const gcs = await startGcs();
    afterwards(() => gcs.close());
    await gcs.createBucket('exports');
    const upload = await fetch(
      `${gcs.url}/upload/storage/v1/b/exports/o?uploadType=media&name=cloud/2030/1.proto`,
      { method: 'POST', body: await readFile(file) },
    );
    expect(upload.status).toBe(200);
    vi.stubEnv('STORAGE_EMULATOR_HOST', `${gcs.url}/storage/v1`);
    afterwards(() => vi.unstubAllEnvs());
    const { report } = await scan('--exports', `${namespace}=gs://exports/cloud`);
    expect(needs(report.namespaces[0]!.keys)).toEqual({
      'workflow-encryption 1': { closed: [1, 1], exports: [1, 1] },
    });
    const missing = await scan('--exports', 'gs://none/cloud');
    expect([missing.code, missing.report.namespaces[0]!.gaps.map(({ place }) => place)]).toEqual([
      1,
      ['exports'],
    ]);
  });

  it('agrees with an independent walk over Temporal’s data', async () => {
    const { namespace, cloud, encrypt, start, terminate, scan } = await startNamespace(temporal);
    const stored: Payload[] = [];
    for (let version = 1; version <= 3; version += 1) {
      stored.push(await encrypt(), await encrypt('direct'));
      if (version < 3) await rotate(cloud);
    }
    for (let n = 0; n < 24; n += 1) {
      const pick = (step: number): Payload => stored[(n * step + 1) % stored.length]!;
      await start(`run-${n}`, pick(1), {
        memo: { fields: { a: pick(5), b: pick(2) } },
        header: { fields: { h: plain() } },
      });
      if (n % 3 > 0) await terminate(`run-${n}`, pick(3));
    }
    const { report } = await scan();
    const expected = new Map<string, number>();
    for (let n = 0; n < 24; n += 1) {
      const events = await readHistory(temporal.connection, namespace, { workflowId: `run-${n}` });
      const place = n % 3 > 0 ? 'closed' : 'open';
      const versions = payloadsIn(events).flatMap(({ metadata, data }) => {
        const encoding = Buffer.from(metadata?.['encoding'] ?? []).toString();
        if (encoding === 'json/plain') return [];
        return [encoding === 'binary/gcp-kms' ? '-' : String(Buffer.from(data!).readUInt32BE(10))];
      });
      for (const version of new Set(versions)) {
        const name = `${place} ${version}`;
        expected.set(name, (expected.get(name) ?? 0) + 1);
      }
    }
    const found = report.namespaces[0]!.keys.flatMap(({ version, places }) =>
      Object.entries(places).map(([place, { histories }]: any): [string, number] => [
        `${place} ${version ?? '-'}`,
        histories,
      ]),
    );
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));
    expect(report.namespaces[0]!.findings.map(({ kind }) => kind)).toEqual(['older_format']);
  });

  it('reads closed runs only once but open runs in each scan, and ignores a truncated line in the state', async () => {
    const { encrypt, start, terminate, scan, state } = await startNamespace(temporal);
    const message = await encrypt();
    await start('open', message);
    for (let n = 0; n < 5; n += 1) {
      await start(`closed-${n}`, message);
      await terminate(`closed-${n}`);
    }
    const first = await scan();
    const read = ({ report }: Awaited<ReturnType<typeof scan>>) =>
      (['open', 'closed'] as const).map((place) => report.namespaces[0]!.looked[place].read);
    expect(read(first)).toEqual([1, 5]);
    await terminate('open');
    const second = await scan();
    expect(read(second)).toEqual([0, 1]);
    expect(needs(second.report.namespaces[0]!.keys)).toEqual({ 'workflow-encryption 1': { closed: [6, 6] } });

    // A process that is killed may leave any prefix of the file.
    const journal = join(
      state,
      (await readdir(state)).find((name) => name.endsWith('.journal'))!,
    );
    const bytes = await readFile(journal);
    for (const part of [0.3, 0.7]) {
      await writeFile(journal, bytes.subarray(0, Math.floor(bytes.length * part)));
      const again = await scan();
      expect(needs(again.report.namespaces[0]!.keys)).toEqual(needs(second.report.namespaces[0]!.keys));
    }
    await chmod(journal, 0o644);
    expect(read(await scan())).toEqual([0, 0]);
    expect((await stat(journal)).mode & 0o777).toBe(0o600);
  });

  it('saves its state every few seconds, so that a killed scan loses little work', async () => {
    const { namespace, env, encrypt, start, terminate, scan, state } = await startNamespace(temporal);
    const message = await encrypt();
    for (let n = 0; n < 60; n += 1) {
      await start(`closed-${n}`, message);
      await terminate(`closed-${n}`);
    }
    const main = join(import.meta.dirname, '../../src/main.ts');
    const options = ['--namespace', namespace, '--state', state, '--settle', '0', '--rps', '4'];
    const slow = spawn(process.execPath, ['--disable-sigusr1', '--', main, 'scan', ...options], {
      env: { ...process.env, ...env, TEMPORAL_ADDRESS: temporal.address },
    });
    const ended = once(slow, 'close');
    let progress = '';
    slow.stderr.on('data', (text) => (progress += text));
    const kept = async (): Promise<number> => {
      const name = (await readdir(state)).find((one) => one.endsWith('.journal'));
      if (name === undefined) return 0;
      const lines = (await readFile(join(state, name), 'utf8')).split('\n');
      // The last line may be incomplete.
      return lines.slice(0, -1).filter((line) => line.includes(' run ')).length;
    };
    await vi.waitUntil(async () => (await kept()) > 0, { timeout: 120_000, interval: 100 });
    slow.kill('SIGKILL');
    const [, signal] = await ended;
    expect([signal, progress]).toEqual(['SIGKILL', expect.stringMatching(/: schedules: 0\n[^]*: runs: 0\n/)]);
    const before = await kept();
    const { closed } = (await scan()).report.namespaces[0]!.looked;
    expect([closed.histories, closed.read]).toEqual([60, 60 - before]);
  });

  it('finds runs that a reset starts while the scan is in progress', async () => {
    const { namespace, encrypt, start, scan } = await startNamespace(temporal);
    await start('reset', await encrypt(), { workflowTaskTimeout: seconds(60) });
    const client = new Client({ connection: temporal.connection, namespace });
    const { runId } = await client.workflow.getHandle('reset').describe();
    // Only a run with a completed workflow task can be reset.
    const task = await temporal.connection.withDeadline(Date.now() + 30_000, () =>
      temporal.connection.workflowService.pollWorkflowTaskQueue({
        namespace,
        taskQueue: { name: 'none' },
        identity: 'test',
      }),
    );
    await temporal.connection.workflowService.respondWorkflowTaskCompleted({
      namespace,
      taskToken: task.taskToken,
      commands: [],
    });
    const before = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const reset = await temporal.connection.workflowService.resetWorkflowExecution({
      namespace,
      workflowExecution: { workflowId: 'reset', runId },
      requestId: randomUUID(),
      workflowTaskFinishEventId: seconds(4).seconds,
    });
    // The last pass of a scan looks for runs by their start time.
    const query = `StartTime >= "${new Date(before + 1_000).toISOString()}"`;
    const listed = async () => {
      const { executions } = await temporal.connection.workflowService.listWorkflowExecutions({
        namespace,
        query,
      });
      return executions.map(({ execution }) => execution?.runId);
    };
    await vi.waitUntil(async () => (await listed()).length > 0, { timeout: 120_000 });
    expect(await listed()).toEqual([reset.runId]);
    const { report } = await scan();
    expect(needs(report.namespaces[0]!.keys)).toEqual({
      'workflow-encryption 1': { open: [1, 1], closed: [1, 1] },
    });
  });

  it('reports everything that a scan cannot see', async () => {
    const { encrypt, start, scan } = await startNamespace(temporal);
    const other: Payload = { metadata: { encoding: Buffer.from('binary/zlib') }, data: Buffer.from('x') };
    const reference: Payload = {
      metadata: { encoding: Buffer.from('json/external-storage-reference') },
      data: Buffer.from('{}'),
    };
    const envelope: Payload = {
      metadata: { encoding: Buffer.from('binary/protobuf'), __temporal_system_payload: Buffer.from('true') },
      data: Buffer.from('packed'),
    };
    await start('other-codec', other, { memo: { fields: { big: reference, request: envelope } } });
    await start('seen', await encrypt());
    const missing = join(await temporaryFolder(), 'missing');
    const { code, report } = await scan('--exports', missing);
    const [found] = report.namespaces;
    expect([code, report.complete]).toEqual([1, false]);
    expect(found!.gaps.map(({ kind, place, count }) => [kind, place, count])).toEqual(
      expect.arrayContaining([
        ['inner_layer', 'open', 1],
        ['external_storage', 'open', 1],
        ['not_walked', 'open', 1],
        ['unreadable', 'exports', undefined],
      ]),
    );
    expect(found!.looked.exports.status).toBe('partial');
  });

  it('reports a missing namespace as not seen', async () => {
    const { env, state } = await startNamespace(temporal);
    const args = ['scan', '--namespace', 'missing', '--state', state, '--settle', '0', '--json'];
    const ran = await temporalKms(args, { env: { ...env, TEMPORAL_ADDRESS: temporal.address } });
    const [found] = scanReport.parse(ran.json()).namespaces;
    expect([ran.code, found!.complete, found!.looked.open.status]).toEqual([1, false, 'partial']);
    expect(found!.gaps[0]!.kind).toBe('not_permitted');
  });
});
