import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import which from 'which';
import { projectRoot } from '@temporal-kms/scripts/project';

const units = ['codec-server.service', 'worker.service', 'temporal-kms-scan.service'];
const timer = 'temporal-kms-scan.timer';
const folder = join(projectRoot, 'deploy/systemd');
const read = (name: string) => readFile(join(folder, name), 'utf8');
const analyze = which.sync('systemd-analyze', { nothrow: true });

let copies: string;
beforeAll(async () => {
  copies = await mkdtemp(join(tmpdir(), 'temporal-kms-units-'));
});
afterAll(() => rm(copies, { recursive: true, force: true }));

describe.each(units)('the unit %s', (name) => {
  it('passes systemd-analyze verify', async ({ skip }) => {
    if (analyze === null) return skip();
    // systemd-analyze requires that the program of the unit exists.
    const unit = (await read(name)).replace('/usr/bin/node', process.execPath);
    await writeFile(join(copies, name), unit);
    const { all } = await execa(analyze, ['verify', '--man=no', join(copies, name)], {
      all: true,
      reject: false,
    });
    expect(all.split('\n').filter((line) => line.includes(name))).toEqual([]);
  });

  it('fails systemd-analyze verify if a mistake is added', async ({ skip }) => {
    if (analyze === null) return skip();
    await writeFile(join(copies, name), '[Service]\nExecStart=/bin/true\nProtectSystm=strict\n');
    const { all } = await execa(analyze, ['verify', '--man=no', join(copies, name)], {
      all: true,
      reject: false,
    });
    expect(all).toContain('ProtectSystm');
  });

  it('opens no inspector, writes no core dump and cannot write system files', async () => {
    const unit = await read(name);
    expect(unit).toMatch(/^ExecStart=\/usr\/bin\/node --disable-sigusr1 /m);
    for (const setting of [
      'LimitCORE=0',
      'NoNewPrivileges=yes',
      'ProtectSystem=strict',
      'PrivateTmp=yes',
      'CapabilityBoundingSet=',
      ...(unit.includes('Type=oneshot') ? [] : ['[Install]']),
    ])
      expect(unit.split('\n')).toContain(setting);
  });
});

it('the scan’s timer passes systemd-analyze verify', async ({ skip }) => {
  if (analyze === null) return skip();
  const service = timer.replace('.timer', '.service');
  await writeFile(join(copies, timer), await read(timer));
  await writeFile(join(copies, service), (await read(service)).replace('/usr/bin/node', process.execPath));
  const { all } = await execa(analyze, ['verify', '--man=no', join(copies, timer)], {
    all: true,
    reject: false,
  });
  expect(all.split('\n').filter((line) => line.includes('temporal-kms-scan'))).toEqual([]);
});

it('the worker has a separate user, and the scan runs as the codec server’s user, who reads the report', async () => {
  const texts = await Promise.all(units.map(read));
  const users = texts.map((text) => /^User=(.+)$/m.exec(text)?.[1]);
  expect(users).toEqual(['temporal-kms', 'temporal-kms-worker', 'temporal-kms']);
  const docs = await readFile(join(projectRoot, 'docs/deploy.md'), 'utf8');
  for (const user of users) expect(docs).toMatch(new RegExp(`^useradd --system ${user}\\b(?!-)`, 'm'));
});
