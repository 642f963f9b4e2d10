import { appendFile, readFile, rename, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AuditFile, createAudit, formatHead } from '@temporal-kms/audit';
import { auditPage, auditVerification } from '@temporal-kms/codec-api';
import { afterAll, describe, expect, it } from 'vitest';
import { chainCheck } from '../../src/audit/check-chain.ts';
import { auditFileAt } from '../support/audit-file.ts';
import { folderForFile, forFile } from '../support/for-file.ts';
import { keptLog } from '../support/kept-log.ts';
import { appWith, headers, post, startKms } from '../support/stack.ts';
import { auditSink } from '../../src/audit/open-audit.ts';

const kms = forFile(await startKms());
const directory = await folderForFile();
const opened: AuditFile[] = [];
afterAll(() => Promise.all(opened.map((file) => file.close())));

let count = 0;
/**
 * Starts a server with an audit file in which each of `people` has revealed payloads with a justification.
 */
async function start(...people: readonly (readonly [name: string, justification: string])[]) {
  const path = join(directory, `${(count += 1)}.jsonl`);
  const file = await auditFileAt(path);
  opened.push(file);
  const audit = createAudit(auditSink(file.append, { log: keptLog().log }));
  const reveal = async (name: string, justification: string, namespace = 'payments') => {
    const record = await audit.begin({
      operation: 'decode',
      caller: { name },
      peer: undefined,
      namespace,
      workflowId: `order-${name}`,
      justification,
    });
    await record.end('complete');
  };
  for (const [name, justification] of people) await reveal(name, justification);
  const kept = keptLog();
  const app = appWith(kms, { audit, auditFile: path, auditHead: () => file.head(), log: kept.log });
  const search = (body: unknown) => post(app, '/api/namespaces/payments/audit:search', body);
  const found = async (body: object) => {
    const response = await search(body);
    expect(response.status).toBe(200);
    const page = auditPage.parse(await response.json());
    return { ...page, lines: page.entries.map(({ who, event }) => `${who.name} ${event}`) };
  };
  const verify = async () => {
    const response = await app.request('/api/namespaces/payments/audit:verify', { headers });
    expect(response.status).toBe(200);
    return auditVerification.parse(await response.json());
  };
  return { path, file, reveal, search, found, verify, log: kept.lines };
}

describe('POST /api/namespaces/{namespace}/audit:search', () => {
  it('returns the entries that meet all conditions, newest first', async () => {
    const { found } = await start(['ana', 'ticket 1'], ['bo', 'ticket 2'], ['ana', 'ticket 2']);
    expect((await found({ who: 'ANA', justification: 'Ticket 2' })).lines).toEqual([
      'ana outcome',
      'ana intent',
    ]);
    expect((await found({ workflowId: 'order-bo', operations: ['decode'] })).lines).toEqual([
      'bo outcome',
      'bo intent',
    ]);
    expect((await found({ operations: ['export'] })).lines).toEqual([]);
    expect((await found({ who: 'bo', results: ['complete'] })).lines).toEqual(['bo outcome']);
    expect((await found({ who: 'bo', results: ['failed', 'limit'] })).lines).toEqual([]);
  });

  it('continues on the next page with the same conditions', async () => {
    const { found } = await start(['ana', 'a'], ['bo', 'a'], ['cy', 'a']);
    const first = await found({ justification: 'a', limit: 2 });
    expect(first.lines).toEqual(['cy outcome', 'cy intent']);
    const second = await found({ justification: 'a', limit: 100, after: first.next });
    expect(second.lines).toEqual(['bo outcome', 'bo intent', 'ana outcome', 'ana intent']);
    expect(second.next).toBeUndefined();
  });

  it('never returns an entry of another namespace, whatever the conditions', async () => {
    const { reveal, found } = await start();
    await reveal('ana', 'payments', 'orders');
    for (const body of [{}, { who: 'ana' }, { justification: 'payments' }, { workflowId: 'order-ana' }]) {
      const { entries } = await found(body);
      expect(entries.filter(({ operation }) => operation !== 'audit')).toEqual([]);
    }
  });

  it('keeps the conditions out of the log', async () => {
    const { found, log } = await start(['ana', 'canary-justification']);
    await found({ justification: 'canary-justification', who: 'canary-person' });
    expect(log.join('\n')).not.toMatch(/canary/);
  });

  it.each([
    { limit: 0 },
    { limit: 1_001 },
    { after: 'a.b' },
    { from: 'yesterday' },
    { who: ' ' },
    { operations: [] },
    { operations: ['reveal'] },
    { results: [] },
    { results: ['denied'] },
    { denied: false },
    { namespace: 'orders' },
    { workflowId: '' },
  ])('rejects the body %j', async (body) => {
    const { search } = await start();
    expect((await search(body)).status).toBe(400);
  });
});

describe('GET /api/namespaces/{namespace}/audit:verify', () => {
  it('reports an intact chain with its last line, and audits the check itself', async () => {
    const { file, verify, found } = await start(['ana', 'a']);
    const result = await verify();
    expect(result).toMatchObject({ status: 'intact', problems: [], problemCount: 0 });
    // The four lines are the file's opening line, the reveal's two lines, and this request's intent.
    expect([result.lines, result.head?.seq]).toEqual([4, 4]);
    expect(file.head().seq).toBe(5);
    expect((await found({ operations: ['audit'] })).lines).toEqual([
      'anonymous intent',
      'anonymous outcome',
      'anonymous intent',
    ]);
  });

  it('reports a line that was changed, removed or inserted', async () => {
    const attacks: ((lines: string[]) => string[])[] = [
      (lines) => lines.map((line) => line.replace('"name":"bo"', '"name":"an"')),
      (lines) => lines.filter((line) => !line.includes('"name":"bo"')),
      (lines) => lines.toSpliced(2, 0, lines[1] ?? ''),
    ];
    for (const attack of attacks) {
      const { path, verify } = await start(['ana', 'a'], ['bo', 'b'], ['cy', 'c']);
      const lines = (await readFile(path, 'utf8')).split(/(?<=\n)/);
      // Modifies the file in place, as an attacker would, so that the server continues to append to the same
      // file.
      await writeFile(path, attack(lines).join(''));
      const result = await verify();
      expect(result.status).toBe('broken');
      expect(result.problems.length).toBeGreaterThan(0);
    }
  });

  it('detects a truncated file by comparing it with the process’s last line', async () => {
    const { path, file } = await start(['ana', 'a'], ['bo', 'b']);
    const check = chainCheck({ file: path, head: () => file.head() });
    expect((await check()).status).toBe('intact');
    const lines = (await readFile(path, 'utf8')).split(/(?<=\n)/);
    await truncate(path, lines.slice(0, 3).join('').length);
    expect(await check()).toMatchObject({
      status: 'broken',
      problems: [{ problem: expect.stringContaining(formatHead(file.head())) }],
      problemCount: 1,
    });
  });

  it('does not report a line that is being written', async () => {
    const { path, file } = await start(['ana', 'a']);
    await appendFile(path, '{"severity":"NOTICE"');
    const check = chainCheck({ file: path, head: () => file.head() });
    expect((await check()).status).toBe('intact');
  });

  it('returns the last line of the rotated file, so that the two files’ chains can be compared', async () => {
    const { path, file, verify, reveal } = await start(['ana', 'a']);
    const before = file.head();
    await rename(path, `${path}.1`);
    file.reopen();
    await reveal('bo', 'b');
    expect(await verify()).toMatchObject({ status: 'intact', follows: before });
  });

  it('does not read a file that is too large, and shares one check between requests', async () => {
    const { path, file } = await start(['ana', 'a']);
    const tooLarge = chainCheck({ file: path, head: () => file.head(), maxBytes: 100 });
    expect(await tooLarge()).toMatchObject({ status: 'too_large', lines: 0, head: file.head() });
    const check = chainCheck({ file: path, head: () => file.head() });
    const [one, two] = [check(), check()];
    expect(one).toBe(two);
    await one;
    expect(check()).not.toBe(one);
  });

  it('returns 501 if there is no audit file', async () => {
    const app = appWith(kms);
    const response = await app.request('/api/namespaces/payments/audit:verify', { headers });
    expect(response.status).toBe(501);
  });
});
