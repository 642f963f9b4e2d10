import { appendFile, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { type Audit, type AuditFile, createAudit } from '@temporal-kms/audit';
import { type AuditPage, auditPage } from '@temporal-kms/codec-api';
import { afterAll, describe, expect, it } from 'vitest';
import { readAudit } from '../../src/audit/read-audit.ts';
import { auditFileAt } from '../support/audit-file.ts';
import { folderForFile, forFile } from '../support/for-file.ts';
import { keptLog } from '../support/kept-log.ts';
import { appWith, headers, startKms } from '../support/stack.ts';
import { auditSink } from '../../src/audit/open-audit.ts';

const kms = forFile(await startKms());
const directory = await folderForFile();
const opened: AuditFile[] = [];
afterAll(() => Promise.all(opened.map((file) => file.close())));

let count = 0;
async function newAudit(): Promise<{ path: string; audit: Audit }> {
  const path = join(directory, `${(count += 1)}.jsonl`);
  const file = await auditFileAt(path);
  opened.push(file);
  return { path, audit: createAudit(auditSink(file.append, { log: keptLog().log })) };
}

const denied = (audit: Audit, workflowId: string, namespace = 'payments') =>
  audit.denied(
    { operation: 'decode', caller: { name: 'ana' }, peer: undefined, namespace, workflowId },
    'forbidden',
  );

const workflows = ({ entries }: AuditPage) => entries.map(({ workflowId }) => workflowId);

const positionIn = (ino: number, at: number | string) => Buffer.from(`${ino}:${at}`).toString('base64url');

const question = { namespace: 'payments', workflowId: undefined, after: undefined, limit: 100 };

it('returns a namespace’s entries, newest first', async () => {
  const { path, audit } = await newAudit();
  for (const [workflow, namespace] of [
    ['1', 'payments'],
    ['2', 'orders'],
    ['3', 'payments'],
    ['payments', 'orders'],
  ] as const) {
    await denied(audit, workflow, namespace);
  }
  const page = auditPage.parse(await readAudit(path, question));
  expect(workflows(page)).toEqual(['3', '1']);
  expect(page).not.toHaveProperty('next');
});

it('returns every entry once across all pages, including entries in lines that are longer than a chunk', async () => {
  const { path, audit } = await newAudit();
  const names = Array.from({ length: 300 }, (_, n) => `${n}-${'é'.repeat(n * 3)}`);
  for (const name of names) await denied(audit, name);
  const seen: unknown[] = [];
  let after: string | undefined;
  do {
    const page = await readAudit(path, { ...question, after, limit: 7 });
    expect(page.entries.length).toBeLessThanOrEqual(7);
    seen.push(...workflows(page));
    after = page.next;
  } while (after !== undefined);
  expect(seen).toEqual(names.toReversed());
});

it('searches a limited part of the file per page, and continues after that part on the next page', async () => {
  const { path, audit } = await newAudit();
  await denied(audit, 'wanted');
  for (let n = 0; n < 200; n += 1) await denied(audit, `${n}`, 'orders');
  const first = await readAudit(path, question, 10_000);
  expect([first.entries.length, first.next]).toEqual([0, expect.any(String)]);
  const pages = [];
  for (let after = first.next; after !== undefined; after = pages.at(-1)!.next) {
    pages.push(await readAudit(path, { ...question, after }, 10_000));
  }
  expect(pages.flatMap(workflows)).toEqual(['wanted']);
  expect(pages.length).toBeGreaterThan(3);
});

it('finds the entries of a workflow, but not of workflows whose ids contain that workflow’s id', async () => {
  const { path, audit } = await newAudit();
  for (const name of ['order-1', 'order-11', 'a\u2028"b', 'order-1']) await denied(audit, name);
  expect(workflows(await readAudit(path, { ...question, workflowId: 'order-1' }))).toHaveLength(2);
  expect(workflows(await readAudit(path, { ...question, workflowId: 'a\u2028"b' }))).toEqual(['a\u2028"b']);
});

it('skips and counts lines that are incomplete, too long or not entries', async () => {
  const { path, audit } = await newAudit();
  await denied(audit, '1');
  const line = await readFile(path, 'utf8');
  await appendFile(
    path,
    `text of "payments"\n${line.slice(0, 60)}\n\n${'x'.repeat(600_000)}\n{"severity":"payments"}}\n`,
  );
  await denied(audit, '2');
  await appendFile(path, line.slice(0, 60));
  const page = await readAudit(path, question);
  expect([workflows(page), page.skipped]).toEqual([['2', '1'], 4]);
});

describe('a page position', () => {
  it('is rejected if the position is inside a line, after the end, or in another file', async () => {
    const { path, audit } = await newAudit();
    for (const name of ['1', '2', '3']) await denied(audit, name);
    const { next } = await readAudit(path, { ...question, limit: 1 });
    const [ino, position] = Buffer.from(next!, 'base64url').toString().split(':').map(Number);
    const wrong = [
      positionIn(ino!, position! - 1),
      positionIn(ino!, 10 ** 9),
      positionIn(ino!, 0),
      positionIn(ino! + 1, position!),
      positionIn(ino!, '1e2'),
      'abc',
    ];
    for (const after of wrong) {
      await expect(readAudit(path, { ...question, after })).rejects.toMatchObject({ status: 400 });
    }
    await rename(path, `${path}.1`);
    const { audit: fresh } = await newAudit();
    await denied(fresh, '1');
    await expect(
      readAudit(join(directory, `${count}.jsonl`), { ...question, after: next }),
    ).rejects.toMatchObject({ code: 'bad_request' });
  });
});

const get = (deps: Parameters<typeof appWith>[1], query = '') =>
  appWith(kms, deps).request(`/api/namespaces/payments/audit${query}`, { headers });

describe('GET /api/namespaces/{namespace}/audit', () => {
  it('returns entries to an auditor, and records the access in the audit', async () => {
    const { path, audit } = await newAudit();
    await denied(audit, '1');
    const response = await get({ audit, auditFile: path }, '?limit=2');
    expect(response.status).toBe(200);
    const events = auditPage
      .parse(await response.json())
      .entries.map(({ operation, event }) => `${operation} ${event}`);
    expect(events).toEqual(['audit intent', 'decode denied']);
    const again = auditPage.parse(await (await get({ audit, auditFile: path })).json());
    expect(again.entries.map(({ operation, event }) => `${operation} ${event}`)).toEqual([
      'audit intent',
      'audit outcome',
      'audit intent',
      'decode denied',
    ]);
  });

  it('reads the new file as soon as the old file is renamed', async () => {
    const path = join(directory, 'rotated.jsonl');
    let now = 0;
    const file = await auditFileAt(path, { now: () => now });
    const audit = createAudit(auditSink(file.append, { log: keptLog().log }));
    await denied(audit, '1');
    await rename(path, `${path}.1`);
    now = 2_000;
    const response = await get({ audit, auditFile: path });
    expect(response.status).toBe(200);
    expect(auditPage.parse(await response.json()).entries).toMatchObject([
      { operation: 'audit', event: 'intent' },
    ]);
    await file.close();
  });

  it.each(['?limit=0', '?limit=1001', '?after=a.b', '?after=', `?workflowId=${'w'.repeat(1_001)}`])(
    'refuses %s',
    async (query) => {
      const { path, audit } = await newAudit();
      expect((await get({ audit, auditFile: path }, query)).status).toBe(400);
    },
  );

  it.each([undefined, '/dev/null'])(
    'returns 501 with a query for Cloud Logging if the audit goes to %s',
    async (auditFile) => {
      const response = await get({ auditFile }, '?workflowId=order-1');
      expect(response.status).toBe(501);
      expect(await response.json()).toMatchObject({
        error: {
          code: 'not_implemented',
          message: expect.stringContaining(
            'labels.log="audit" AND jsonPayload.audit.namespace="payments" AND jsonPayload.audit.workflowId="order-1"',
          ),
        },
      });
    },
  );
});
