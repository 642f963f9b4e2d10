import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ScanReport } from '@temporal-kms/codec-api';
import { compactVerify, importSPKI } from 'jose';
import { loadKmsCodec } from '@temporal-kms/kms-codec';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { describeServer, type TemporalServer } from '../../src/temporal/server.ts';
import {
  type Cloud,
  KEY,
  RING,
  rotate,
  startCloud,
  temporalKms,
  temporaryFolder,
  variables,
} from '../support/cli.ts';
import { statementOf } from '../support/question.ts';
import { plain, startRun } from '../support/scanned.ts';
import { statementFile } from '../support/statement.ts';
import { startStore } from '../support/stored.ts';
import { useTemporal } from '../support/temporal.ts';

const temporal = useTemporal({ namespaces: ['orders'] });
let server: TemporalServer;
beforeAll(async () => {
  for (const namespace of ['default', 'orders'])
    await temporal.connection.workflowService.listWorkflowExecutions({ namespace });
  server = await describeServer(temporal.connection, temporal.address, []);
});

const HOUR = 3_600_000;
const later = (hours: number) => () => new Date(Date.now() + hours * HOUR);

/**
 * Creates a key whose version 2 is primary. The returned `run` runs a command with a new statement, and with
 * a clock that is some hours ahead.
 * @param before is called before the rotation to version 2
 */
async function startRotated(
  before: (env: Record<string, string>) => Promise<unknown> = async () => undefined,
) {
  const cloud = await startCloud();
  await before({ ...variables, KMS_EMULATOR_HOST: cloud.emulator.address });
  await rotate(cloud);
  const env = { ...variables, KMS_EMULATOR_HOST: cloud.emulator.address, TEMPORAL_ADDRESS: temporal.address };
  const folder = await temporaryFolder();
  const scanOptions = ['--state', join(folder, 'state'), '--settle', '0'];
  const run = async (args: readonly string[], hours: number, answer?: string) => {
    const now = later(hours);
    const statement = statementOf(KEY, now().toISOString(), [server]);
    const stated = args[0] === 'scan' ? [] : ['--statement', await statementFile(statement)];
    return await temporalKms([...args, ...stated], { env, now, ...(answer === undefined ? {} : { answer }) });
  };
  return { cloud, env, folder, scanOptions, run };
}

const stateOf = async ({ owner }: Cloud, version: number) =>
  (await owner.getCryptoKeyVersion({ name: `${KEY}/cryptoKeyVersions/${version}` }))[0].state;

const missing = (name: string) => ['not_seen', expect.stringContaining(`the namespace ${name} of`)];

describe('may-destroy', () => {
  it('answers no after the first scan, and yes after another scan a day later', async () => {
    const { scanOptions, run } = await startRotated();
    const first = await run(['may-destroy', '1', ...scanOptions, '--json'], 0);
    expect([first.code, first.json().reasons.map(({ code }: any) => code)]).toEqual([
      1,
      ['may_still_encrypt', 'not_stated'],
    ]);
    const second = await run(['may-destroy', '1', ...scanOptions, '--json'], 29);
    expect([second.code, second.json().mayDestroy]).toEqual([0, true]);
    const text = await run(['may-destroy', '1', ...scanOptions], 29);
    expect(text.out).toMatch(/^YES: version 1[^]*saw everything in default, orders[^]*stated by Ada/);
  });

  it('answers no while another namespace of the server needs the version', async () => {
    const workflowId = 'order-1';
    const namespace = 'orders';
    const { cloud, env, scanOptions, run } = await startRotated(async (keys) => {
      const codec = loadKmsCodec({ namespace, env: keys });
      const [message] = await codec.encode([plain()], { type: 'workflow', namespace, workflowId });
      await codec.close();
      await startRun(temporal.connection, namespace, workflowId, message!);
    });
    await run(['scan', ...scanOptions], 0);
    const reasons = async (command: string, ...args: string[]) => {
      const ran = await run([command, '1', ...scanOptions, '--json', ...args], 29);
      return [ran.code, ...ran.json().reasons.map(({ code, message }: any) => [code, message])];
    };
    const needed = ['needed', expect.stringMatching(/namespace orders .*1 open/)];
    expect(await reasons('may-destroy')).toEqual([1, needed]);
    expect(await reasons('destroy', '--yes')).toEqual([1, needed]);
    // A scan of only some namespaces is not sufficient.
    const few = await reasons('may-destroy', '--namespace', 'default');
    expect(few).toEqual([1, missing('orders'), missing('temporal-system')]);
    // Without a statement, the answer contains the lines to fill in.
    const unstated = await temporalKms(['may-destroy', '1', ...scanOptions], { env, now: later(29) });
    expect([unstated.code, unstated.out]).toEqual([1, expect.stringContaining(`id: '${server.clusterId}'`)]);
    expect(await stateOf(cloud, 1)).toBe('ENABLED');

    await temporal.connection.workflowService.deleteWorkflowExecution({
      namespace,
      workflowExecution: { workflowId },
    });
    await vi.waitUntil(
      async () =>
        (await temporal.connection.workflowService.listWorkflowExecutions({ namespace })).executions
          .length === 0,
      { timeout: 120_000 },
    );
    expect(await reasons('may-destroy')).toEqual([0]);
  });

  it('decides from a report, and refuses a file that is not a report', async () => {
    const { folder, scanOptions, run } = await startRotated();
    const file = join(folder, 'report.json');
    await writeFile(file, '');
    await chmod(file, 0o644);
    expect((await run(['scan', ...scanOptions, '--out', file], 29)).code).toBe(0);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const stated = ['--not-primary-since', new Date().toISOString()];
    const yes = await run(['may-destroy', '1', '--report', file, ...stated], 30);
    expect([yes.code, yes.out.slice(0, 4)]).toEqual([0, 'YES:']);
    const report: ScanReport = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify({ ...report, version: 2 }));
    expect((await run(['may-destroy', '1', '--report', file], 30)).code).toBe(65);
    await writeFile(file, JSON.stringify(report).slice(0, -9));
    expect((await run(['may-destroy', '1', '--report', file], 30)).code).toBe(65);
  });

  it.each([
    ['EC_SIGN_P256_SHA256', 'ES256'],
    ['RSA_SIGN_PKCS1_2048_SHA256', 'RS256'],
    ['RSA_SIGN_PSS_2048_SHA256', 'PS256'],
  ] as const)(
    'signs its answer with %s, so that any JOSE library can verify the answer',
    async (algorithm, alg) => {
      const { cloud, scanOptions, run } = await startRotated();
      const [{ name }] = await cloud.owner.createCryptoKey({
        parent: RING,
        cryptoKeyId: 'reports',
        cryptoKey: { purpose: 'ASYMMETRIC_SIGN', versionTemplate: { algorithm } },
      });
      const signKey = `${name}/cryptoKeyVersions/1`;
      const { code, json } = await run(
        ['may-destroy', '1', ...scanOptions, '--sign-key', signKey, '--json'],
        0,
      );
      const [{ pem }] = await cloud.owner.getPublicKey({ name: signKey });
      const { payload, protectedHeader } = await compactVerify(json().jws, await importSPKI(pem!, alg));
      const signed = JSON.parse(Buffer.from(payload).toString());
      expect([code, protectedHeader.kid, signed.mayDestroy]).toEqual([1, signKey, false]);
      expect([signed.reports[0].namespaces[0].namespace, signed.statement.name]).toEqual(['default', 'Ada']);
      const [header, , signature] = json().jws.split('.');
      const changed = Buffer.from(JSON.stringify({ ...signed, mayDestroy: true })).toString('base64url');
      await expect(
        compactVerify([header, changed, signature].join('.'), await importSPKI(pem!, alg)),
      ).rejects.toThrow();
    },
  );

  it('does not scan if the version is primary or destroyed', async () => {
    const { cloud, env, scanOptions } = await startRotated();
    await cloud.emulator.setVersionState(`${KEY}/cryptoKeyVersions/1`, 'DESTROYED');
    // No server listens at this address, so a scan would fail.
    const unreachable = { env: { ...env, TEMPORAL_ADDRESS: '127.0.0.1:1' } };
    for (const command of ['may-destroy', 'destroy']) {
      for (const [version, reason] of [
        ['1', 'no_version'],
        ['2', 'primary'],
      ] as const) {
        const { code, json } = await temporalKms([command, version, ...scanOptions, '--json'], unreachable);
        const { mayDestroy, reasons, scanned } = json();
        expect([code, mayDestroy, reasons.map((one: any) => one.code), scanned]).toEqual([
          1,
          false,
          [reason],
          null,
        ]);
      }
    }
    const { out } = await temporalKms(['may-destroy', '2', ...scanOptions], unreachable);
    expect(out).toMatch(
      /^NO: version 2 .+\n {2}because version 2 is primary.+\n {2}No scan was necessary.+\n$/,
    );
  });

  it('refuses to sign with a key that encrypts', async () => {
    const { scanOptions, run } = await startRotated();
    for (const version of ['1', '2']) {
      const { code, out } = await run(
        ['may-destroy', version, ...scanOptions, '--sign-key', `${KEY}/cryptoKeyVersions/1`],
        0,
      );
      expect([code, out]).toEqual([1, '']);
    }
  });

  it('refuses, before it scans, a version or a report that does not exist', async () => {
    const { scanOptions, run } = await startRotated();
    const version = await run(['may-destroy', '9', ...scanOptions], 0);
    expect([version.code, version.err]).toEqual([66, expect.stringMatching(/^error: .+ has no version 9\n/)]);
    expect((await run(['may-destroy', '1', '--report', 'no-report.json'], 0)).code).toBe(66);
  });

  it('refuses an argument that is not a version', async () => {
    for (const version of ['0', 'x', '-1', '1.5'])
      expect((await temporalKms(['may-destroy', version])).code).toBe(64);
  });
});

describe('destroy', () => {
  it('changes nothing if the answer is no', async () => {
    const { cloud, scanOptions, run } = await startRotated();
    const { code, json } = await run(['destroy', '1', ...scanOptions, '--yes', '--json'], 0);
    expect([code, json().mayDestroy, await stateOf(cloud, 1)]).toEqual([1, false, 'ENABLED']);
    const primary = await run(['destroy', '2', ...scanOptions, '--yes'], 29);
    expect([primary.code, await stateOf(cloud, 2)]).toEqual([1, 'ENABLED']);
  });

  it('asks for confirmation, schedules the destruction, and states how to restore the version', async () => {
    const { cloud, scanOptions, run } = await startRotated();
    await run(['scan', ...scanOptions], 0);
    const refused = await run(['destroy', '1', ...scanOptions], 29, 'yes');
    expect([refused.code, await stateOf(cloud, 1)]).toEqual([64, 'ENABLED']);
    expect((await run(['destroy', '1', ...scanOptions], 29)).code).toBe(64);
    const done = await run(['destroy', '1', ...scanOptions], 29, '1');
    expect([done.code, await stateOf(cloud, 1)]).toEqual([0, 'DESTROY_SCHEDULED']);
    expect(done.out).toMatch(/gcloud kms keys versions restore 1[^]*gcloud kms keys versions enable 1/);
    const again = await run(['destroy', '1', ...scanOptions, '--yes', '--json'], 29);
    expect([again.code, again.json().mayDestroy]).toEqual([0, true]);
  });
});

describe('external storage', () => {
  it('can answer yes if every stored object was read, but not while an object is missing', async () => {
    const namespace = 'orders';
    const store = await startStore(namespace);
    const { cloud, env, scanOptions, run } = await startRotated();
    const codec = loadKmsCodec({ namespace, env });
    const [message] = await codec.encode([plain()], { type: 'workflow', namespace, workflowId: 'any' });
    await codec.close();
    const object = await store.store(message!);
    await startRun(temporal.connection, namespace, 'stored', object.reference);
    const next = await rotate(cloud);
    await run(['scan', ...scanOptions], 0);
    const reasons = async (version: number, ...more: string[]) => {
      const options = [...scanOptions, '--json', ...more];
      const ran = await run(['may-destroy', String(version), ...options], 29);
      const drained = (await run(['drain', String(version), ...options], 29)).json();
      return [ran.code, drained.versions[0].isFree, ran.json().reasons.map(({ code }: any) => code)];
    };
    const following = ['--external-storage', store.file];
    expect(await reasons(1)).toEqual([1, false, ['not_seen', 'not_seen']]);
    expect(await reasons(1, ...following)).toEqual([0, true, []]);
    expect([next, await reasons(2, ...following)]).toEqual([3, [1, false, ['needed']]]);
    await store.remove(object);
    expect(await reasons(1, ...following)).toEqual([1, false, ['not_seen', 'not_seen']]);
  });
});
