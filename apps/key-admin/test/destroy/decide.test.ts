import { chmod, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ScanCoverage, ScanReport } from '@temporal-kms/codec-api';
import { startTemporal } from '@temporal-kms/scripts/temporal';
import { Connection } from '@temporalio/client';
import { beforeAll, describe, expect, it } from 'vitest';
import { readBasis } from '../../src/destroy/decide.ts';
import { observeKeys } from '../../src/scan/observed-keys.ts';
import { ScanState } from '../../src/scan/state.ts';
import { describeServer, type TemporalServer } from '../../src/temporal/server.ts';
import {
  type Cloud,
  KEY,
  keysFile,
  RING,
  rotate,
  startCloud,
  temporalKms,
  temporaryFile,
  temporaryFolder,
  variables,
} from '../support/cli.ts';
import { statementOf } from '../support/question.ts';
import { seconds } from '../support/scanned.ts';
import { statementFile } from '../support/statement.ts';
import { useTemporal } from '../support/temporal.ts';

const temporal = useTemporal({ namespaces: ['payments', 'orders'] });
let server: TemporalServer;
const everywhere = () => server.namespaces.map(({ name }) => name);
beforeAll(async () => {
  server = await describeServer(temporal.connection, temporal.address, []);
});

const HOUR = 3_600_000;
const OTHER = `${RING}/cryptoKeys/orders`;

const read: ScanCoverage = { status: 'complete', histories: 0, read: 0, payloads: 0 };
const none: ScanCoverage = { ...read, status: 'none' };

/** Returns the report of a new scan that saw everything, and found nothing that needs a key. */
function reportOf(...namespaces: string[]): ScanReport {
  const time = new Date().toISOString();
  return {
    version: 1,
    server: { address: server.address, clusterId: server.clusterId! },
    started: time,
    finished: time,
    complete: true,
    cryptoKeys: [],
    namespaces: namespaces.map((namespace) => ({
      namespace,
      id: server.namespaces.find(({ name }) => name === namespace)?.id ?? '',
      started: time,
      finished: time,
      complete: true,
      looked: { open: read, closed: read, schedules: read, archived: none, exports: none },
      exports: [],
      keys: [],
      findings: [],
      gaps: [],
    })),
  };
}

async function writeReport(report: ScanReport): Promise<string> {
  const path = join(await temporaryFolder(), 'report.json');
  await writeFile(path, JSON.stringify(report), { mode: 0o600 });
  return path;
}

/**
 * Returns command-line options with a statement, and with the time at which version 1 stopped being primary.
 */
const stating = async (
  key = KEY,
  namespaces?: readonly string[],
  servers: readonly TemporalServer[] = [server],
): Promise<string[]> => {
  const { clusters, ...rest } = statementOf(key, now().toISOString(), servers);
  const all = clusters.map((one) =>
    namespaces === undefined ? one : { ...one, namespaces: [...namespaces] },
  );
  return [...stated, '--statement', await statementFile({ ...rest, clusters: all })];
};

/** The time is chosen so that no program encrypts under version 1 any longer when the commands run. */
const stated = ['--not-primary-since', new Date(Date.now() + HOUR).toISOString()];
const now = () => new Date(Date.now() + 40 * HOUR);

/** Sets a report's times to `now()`. */
const atNow = (report: ScanReport): ScanReport =>
  JSON.parse(JSON.stringify(report).replaceAll(report.started, now().toISOString()));

async function startRotated(): Promise<Cloud> {
  const cloud = await startCloud({ keys: [KEY, OTHER] });
  for (const key of [KEY, OTHER]) await rotate(cloud, key);
  return cloud;
}

describe('--key', () => {
  it('does not override the namespaces and keys in the keys file', async () => {
    const cloud = await startRotated();
    const env = {
      KMS_KEYS_FILE: await keysFile({
        payments: { encrypt: KEY, decrypt: [OTHER] },
        orders: { encrypt: OTHER },
      }),
      KMS_EMULATOR_HOST: cloud.emulator.address,
      TEMPORAL_ADDRESS: temporal.address,
    };
    const statement = await stating(OTHER, ['payments', 'orders']);
    const ask = async (...namespaces: string[]) => {
      const report = await writeReport(atNow(reportOf(...namespaces)));
      return await temporalKms(
        ['may-destroy', '1', '--key', OTHER, '--report', report, ...statement, '--json'],
        { env, now },
      );
    };
    const one = await ask('default');
    expect([one.code, one.json().reasons.map(({ message }: any) => message)]).toEqual([
      1,
      [
        ...['payments', 'orders'].map((name) => `the namespace ${name} was not scanned`),
        ...['payments', 'orders'].map(
          (name) => `the namespace ${name} of ${temporal.address} was not scanned`,
        ),
      ],
    ]);
    expect((await ask('payments', 'orders')).code).toBe(0);

    const options = { key: OTHER, rps: 1, settle: 60, taskQueue: 'any', maxAge: 24 };
    const deps: any = { env };
    const { key, namespaces, settings } = await readBasis(options, deps);
    expect([key, namespaces]).toEqual([OTHER, ['payments', 'orders']]);
    expect(settings.rules.resolve('payments').encrypt).toBe(KEY);
  });

  it('selects the crypto key if the environment names no key', async () => {
    const cloud = await startRotated();
    const report = await writeReport(atNow(reportOf(...everywhere())));
    const { code } = await temporalKms(
      ['may-destroy', '1', '--key', OTHER, '--report', report, ...(await stating(OTHER))],
      { env: { KMS_EMULATOR_HOST: cloud.emulator.address, TEMPORAL_ADDRESS: temporal.address }, now },
    );
    expect(code).toBe(0);
  });
});

it('does not decide about a key whose configured name differs from the name in message headers', async () => {
  const report = await writeReport(atNow(reportOf('default')));
  const key = KEY.replace('acme', '123456789012');
  const ask = async (env: Record<string, string>, ...args: string[]) =>
    await temporalKms(['may-destroy', '1', '--report', report, ...stated, ...args], { env, now });
  for (const { code, err } of [
    await ask({}, '--key', key),
    await ask({ ...variables, GCP_PROJECT: '123456789012' }),
  ])
    expect([code, err]).toEqual([78, expect.stringContaining('by id, not by number')]);
});

it('does not decide from a report that others can write, or that is too large', async () => {
  const cloud = await startRotated();
  const report = await writeReport(atNow(reportOf(...everywhere())));
  const statement = await stating();
  const ask = async () =>
    await temporalKms(['may-destroy', '1', '--report', report, ...statement], {
      env: { ...variables, KMS_EMULATOR_HOST: cloud.emulator.address, TEMPORAL_ADDRESS: temporal.address },
      now,
    });
  expect((await ask()).code).toBe(0);
  await chmod(report, 0o620);
  const writable = await ask();
  expect([writable.code, writable.err]).toEqual([65, expect.stringContaining('chmod go-w')]);
  await chmod(report, 0o600);
  await truncate(report, 64 * 1024 * 1024 + 1);
  expect((await ask()).code).toBe(65);
});

it('does not scan with a state folder or a state file that others can write', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'crypto-keys.json');
  await writeFile(path, '{}', { mode: 0o600 });
  await expect(observeKeys(path, [], now())).resolves.toEqual([]);
  await chmod(path, 0o602);
  await expect(observeKeys(path, [], now())).rejects.toThrow('chmod go-w');
  const journal = join(folder, 'journal');
  await expect(ScanState.open(journal)).resolves.toBeDefined();
  await chmod(journal, 0o660);
  await expect(ScanState.open(journal)).rejects.toThrow('chmod go-w');
  await chmod(folder, 0o770);
  await expect(ScanState.open(join(folder, 'other'))).rejects.toThrow('chmod go-w');
});

const destroy = async (cloud: Cloud, answer: () => Promise<string>, options?: readonly string[]) => {
  const report = await writeReport(atNow(reportOf(...everywhere())));
  const { code, json } = await temporalKms(
    ['destroy', '1', '--report', report, ...(options ?? (await stating())), '--json'],
    {
      env: { ...variables, KMS_EMULATOR_HOST: cloud.emulator.address, TEMPORAL_ADDRESS: temporal.address },
      now,
      answer,
    },
  );
  const [{ state }] = await cloud.owner.getCryptoKeyVersion({ name: `${KEY}/cryptoKeyVersions/1` });
  const { mayDestroy, destroyTime, reasons } = json();
  return { code, mayDestroy, destroyTime, state, codes: reasons.map((one: any) => one.code) };
};
const refused = (...codes: string[]) => ({
  code: 1,
  mayDestroy: false,
  destroyTime: null,
  state: 'ENABLED',
  codes,
});
const yes = async () => '1';

describe('destroy', () => {
  it('changes nothing if the version became primary while the person confirmed', async () => {
    const cloud = await startRotated();
    const answer = async () => {
      await cloud.owner.updateCryptoKeyPrimaryVersion({ name: KEY, cryptoKeyVersionId: '1' });
      return '1';
    };
    expect(await destroy(cloud, answer)).toEqual(refused('primary'));
  });

  it('changes nothing if a namespace appeared, or was recreated, while the person confirmed', async () => {
    const cloud = await startRotated();
    const { workflowService, operatorService } = temporal.connection;
    const register = () =>
      workflowService.registerNamespace({
        namespace: 'created-meanwhile',
        workflowExecutionRetentionPeriod: seconds(86_400),
      });
    const appears = async () => {
      await register();
      return '1';
    };
    expect(await destroy(cloud, appears)).toEqual(refused('not_seen'));
    server = await describeServer(temporal.connection, temporal.address, []);
    const isAnew = async () => {
      await operatorService.deleteNamespace({ namespace: 'created-meanwhile' });
      await register();
      return '1';
    };
    expect(await destroy(cloud, isAnew)).toEqual(refused('other_server'));
    await operatorService.deleteNamespace({ namespace: 'created-meanwhile' });
    server = await describeServer(temporal.connection, temporal.address, []);
  });

  it('needs a report about each Temporal server in the statement, and a response from each server', async () => {
    const cloud = await startRotated();
    const second = await startTemporal();
    try {
      const other = await Connection.connect({ address: second.address });
      const described = await describeServer(other, second.address, []);
      await other.close();
      const environment = await temporaryFile('other.env', `TEMPORAL_ADDRESS=${second.address}\n`);
      const { clusters, ...rest } = statementOf(KEY, now().toISOString(), [server, described]);
      const [own, its] = clusters;
      const options = async (...named: typeof clusters) => [
        ...stated,
        '--statement',
        await statementFile({ ...rest, clusters: named }),
      ];
      // Servers on one machine can have the same cluster id. Addresses and namespaces distinguish such
      // servers.
      expect(await destroy(cloud, yes, await options(own!, its!))).toMatchObject({ mayDestroy: false });
      const unscanned = await destroy(cloud, yes, await options(own!, { ...its!, environment }));
      expect([unscanned.state, new Set(unscanned.codes)]).toEqual(['ENABLED', new Set(['not_seen'])]);
      const onlyOther = await destroy(cloud, yes, await options({ ...its!, environment }));
      expect([onlyOther.state, new Set(onlyOther.codes)]).toEqual([
        'ENABLED',
        new Set(['not_seen', 'not_stated']),
      ]);

      const first = server;
      server = described;
      const report = await writeReport(atNow(reportOf(...everywhere())));
      const ofOther = await destroy(cloud, yes, [...(await stating(KEY, undefined, [first]))]);
      expect([ofOther.state, ofOther.codes]).toEqual(['ENABLED', expect.arrayContaining(['other_server'])]);
      server = first;
      const both = [...(await options(own!, { ...its!, environment })), '--report', report];
      expect(await destroy(cloud, yes, both)).toMatchObject({ code: 0, state: 'DESTROY_SCHEDULED' });
    } finally {
      await second.close();
    }
  });
});
