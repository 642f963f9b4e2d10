import { readdir, readFile, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporalKms, temporaryFolder } from '../support/cli.ts';
import { startNamespace } from '../support/scanned.ts';
import { startStore } from '../support/stored.ts';
import { useTemporal } from '../support/temporal.ts';

const temporal = useTemporal();

const PRICE = 250_000;
const costOf = ({ bytes }: { readonly bytes: number }): number => (bytes / 2 ** 30) * PRICE;

it('lists unused objects and histories whose objects are gone, but lists nothing after an incomplete scan', async () => {
  const one = await startNamespace(temporal);
  const { namespace, env, state, encrypt, start } = one;
  const store = await startStore(namespace);
  const message = await encrypt();
  const used = await store.store(message, { workflowId: 'used' });
  const gone = await store.store(message, { workflowId: 'gone' });
  const unused = await store.store(message, { workflowId: 'un\u202eused', runId: 'r' });
  const second = await store.store(message, { workflowId: 'unused', runId: 'r' });
  const longAgo = new Date(Date.now() - 86_400_000);
  for (const { object } of [used, unused, second]) await utimes(join(store.path, object), longAgo, longAgo);
  await start('used', used.reference);
  await start('gone', gone.reference, { memo: { fields: { again: gone.reference } } });
  await store.remove(gone);
  await one.untilListed();
  const folder = await temporaryFolder();
  const run = async (...more: string[]) => {
    const options = ['--namespace', namespace, '--state', state, '--settle', '0'];
    const args = ['storage', ...options, '--external-storage', store.file, ...more];
    return await temporalKms(args, { env: { ...env, TEMPORAL_ADDRESS: temporal.address } });
  };
  const names = join(folder, 'unused.txt');
  const text = await run('--out', names);
  expect([text.code, await readFile(names, 'utf8')]).toEqual([1, `directory://payloads/${second.object}\n`]);
  expect(text.out).toMatch(/^unused +2 [^]*NOT LISTED: 1 [^]*GONE: .*\/gone\/.*to which 1 histories refer/m);
  expect(text.out).toContain(
    '\n--price AMOUNT, the price of a GiB for a month, shows what the unused objects cost.\n',
  );
  expect(text.out).not.toContain('\u202e');
  expect((await stat(names)).mode & 0o777).toBe(0o600);

  const lines = join(folder, 'unused.jsonl');
  const { code, json } = await run('--out', lines, '--json-lines', '--json');
  const listed = (await readFile(lines, 'utf8')).trimEnd().split('\n');
  expect(listed.map((line): string => JSON.parse(line).object).toSorted()).toEqual(
    [unused.object, second.object].toSorted(),
  );
  expect([code, json()]).toMatchObject([
    1,
    {
      complete: true,
      referred: { objects: 1 },
      unused: { objects: 2 },
      gone: [{ workflowId: 'gone' }],
      unlisted: 0,
    },
  ]);
  const priced = join(folder, 'priced.jsonl');
  const withCost = await run('--out', priced, '--json-lines', '--price', String(PRICE), '--json');
  const perObject = (await readFile(priced, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  for (const object of [...perObject, withCost.json().unused])
    expect(object).toMatchObject({ bytes: expect.any(Number), costPerMonth: costOf(object) });
  const total = costOf(withCost.json().unused).toFixed(2);
  expect(Number(total)).toBeGreaterThan(0);
  expect((await run('--price', String(PRICE))).out).toContain(
    `\nThe unused objects cost ${total} per month.\n`,
  );
  expect((await run('--price', '0,02')).code).toBe(64);

  // The command refuses to replace a file, and has deleted no object.
  expect((await run('--out', lines)).code).toBe(78);
  for (const object of [used, unused, second]) await stat(join(store.path, object.object));

  // A history that was not read may refer to any object.
  await start('other', { metadata: { encoding: Buffer.from('binary/zlib') }, data: Buffer.from('x') });
  await one.untilListed();
  const none = await run('--out', join(folder, 'none'), '--json');
  expect([none.code, none.json()]).toMatchObject([1, { complete: false, unused: null, gone: null }]);
  expect((await readdir(folder)).toSorted()).toEqual(['priced.jsonl', 'unused.jsonl', 'unused.txt']);
  expect((await temporalKms(['storage'])).code).toBe(64);
  expect((await run('--json-lines')).code).toBe(64);
  const other = await startStore('another-namespace');
  expect((await run('--external-storage', other.file, '--out', join(folder, 'none'))).code).toBe(78);
  expect(await readdir(folder)).toHaveLength(3);
});
