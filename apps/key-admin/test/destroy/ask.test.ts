import { chmod, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ScanCoverage, ScanReport } from '@temporal-kms/codec-api';
import { describe, expect, it } from 'vitest';
import { readBasis } from '../../src/destroy/ask.ts';
import { observeKeys } from '../../src/scan/observed-keys.ts';
import { ScanState } from '../../src/scan/state.ts';
import {
  type Cloud,
  KEY,
  RING,
  rotate,
  startCloud,
  temporalKms,
  temporaryFile,
  temporaryFolder,
  variables,
} from '../support/cli.ts';

const HOUR = 3_600_000;
const OTHER = `${RING}/cryptoKeys/orders`;

const read: ScanCoverage = { status: 'complete', histories: 0, read: 0, payloads: 0 };
const none: ScanCoverage = { ...read, status: 'none' };

/** A report of a scan now that saw everything, in which nothing needs a key. */
function reportOf(...namespaces: string[]): ScanReport {
  const time = new Date().toISOString();
  return {
    version: 1,
    started: time,
    finished: time,
    complete: true,
    cryptoKeys: [],
    namespaces: namespaces.map((namespace) => ({
      namespace,
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

/** The answers are of a time at which no program encrypts under version 1 any longer. */
const stated = ['--not-primary-since', new Date(Date.now() + HOUR).toISOString()];
const now = () => new Date(Date.now() + 40 * HOUR);

/** Moves the times of a report to `now`. */
const atNow = (report: ScanReport): ScanReport =>
  JSON.parse(JSON.stringify(report).replaceAll(report.started, now().toISOString()));

async function startRotated(): Promise<Cloud> {
  const cloud = await startCloud({ keys: [KEY, OTHER] });
  for (const key of [KEY, OTHER]) await rotate(cloud, key);
  return cloud;
}

const keysFile = () =>
  temporaryFile(
    'keys.yaml',
    `namespaces:
  payments:
    encrypt: ${KEY}
    decrypt: [${OTHER}]
  orders:
    encrypt: ${OTHER}
...
`,
  );

describe('--key', () => {
  it('leaves the namespaces and the keys of the keys file as they are', { timeout: 60_000 }, async () => {
    const cloud = await startRotated();
    const env = { KMS_KEYS_FILE: await keysFile(), KMS_EMULATOR_HOST: cloud.emulator.address };
    const ask = async (...namespaces: string[]) => {
      const report = await writeReport(atNow(reportOf(...namespaces)));
      return await temporalKms(
        ['may-destroy', '1', '--key', OTHER, '--report', report, ...stated, '--json'],
        {
          env,
          now,
        },
      );
    };
    const one = await ask('default');
    expect([one.code, one.json().reasons.map(({ message }: any) => message)]).toEqual([
      1,
      ['the namespace payments was not scanned', 'the namespace orders was not scanned'],
    ]);
    expect((await ask('payments', 'orders')).code).toBe(0);

    const options = { key: OTHER, rps: 1, settle: 60, taskQueue: 'any', maxAge: 24 };
    const deps: any = { env };
    const { key, namespaces, settings } = await readBasis(options, deps);
    expect([key, namespaces]).toEqual([OTHER, ['payments', 'orders']]);
    expect(settings.rules.resolve('payments').encrypt).toBe(KEY);
  });

  it('names the crypto key where the environment names none', { timeout: 60_000 }, async () => {
    const cloud = await startRotated();
    const report = await writeReport(atNow(reportOf('default')));
    const { code } = await temporalKms(['may-destroy', '1', '--key', OTHER, '--report', report, ...stated], {
      env: { KMS_EMULATOR_HOST: cloud.emulator.address },
      now,
    });
    expect(code).toBe(0);
  });
});

it('refuses the name of a key that differs from the one in headers', { timeout: 60_000 }, async () => {
  const report = await writeReport(atNow(reportOf('default')));
  const key = KEY.replace('acme', '123456789012');
  const ask = async (env: Record<string, string>, ...args: string[]) =>
    await temporalKms(['may-destroy', '1', '--report', report, ...stated, ...args], { env, now });
  for (const { code, err } of [
    await ask({}, '--key', key),
    await ask({ ...variables, GCP_PROJECT: '123456789012' }),
  ])
    expect([code, err]).toEqual([78, expect.stringContaining('by its id, not by its number')]);
});

it('refuses a report that others can write, or that is too large', { timeout: 60_000 }, async () => {
  const cloud = await startRotated();
  const report = await writeReport(atNow(reportOf('default')));
  const ask = async () =>
    await temporalKms(['may-destroy', '1', '--report', report, ...stated], {
      env: { ...variables, KMS_EMULATOR_HOST: cloud.emulator.address },
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

it('refuses a state folder or a state file that others can write', async () => {
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

describe('destroy', () => {
  it(
    'changes nothing if the version became primary while the person was asked',
    { timeout: 60_000 },
    async () => {
      const cloud = await startRotated();
      const report = await writeReport(atNow(reportOf('default')));
      const answer = async () => {
        await cloud.owner.updateCryptoKeyPrimaryVersion({ name: KEY, cryptoKeyVersionId: '1' });
        return '1';
      };
      const { code, json } = await temporalKms(['destroy', '1', '--report', report, ...stated, '--json'], {
        env: { ...variables, KMS_EMULATOR_HOST: cloud.emulator.address },
        now,
        answer,
      });
      expect([code, json().mayDestroy, json().destroyTime]).toEqual([1, false, null]);
      expect(json().reasons.map((one: any) => one.code)).toEqual(['primary']);
      const [{ state }] = await cloud.owner.getCryptoKeyVersion({ name: `${KEY}/cryptoKeyVersions/1` });
      expect(state).toBe('ENABLED');
    },
  );
});
