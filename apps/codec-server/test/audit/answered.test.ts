import { mkdtemp, readdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { digestsWith, type OpenAudit, parseEntryLine } from '@temporal-kms/audit';
import type { AuditEntry } from '@temporal-kms/codec-api';
import { describe, expect, it } from 'vitest';
import { folderForFile, forFile } from '../support/for-file.ts';
import { posted, serveApp } from '../support/served.ts';
import { keptLog } from '../support/kept-log.ts';
import { appWith, bodyOf, type Payload, plain, post, recordedAudit, startKms } from '../support/stack.ts';
import { openAudit } from '../../src/audit/open-audit.ts';

const kms = forFile(await startKms());
const directory = await folderForFile();
const context = { type: 'activity', namespace: 'payments' } as const;
const encrypted = await kms.codec.encode([plain('canary-61b0cd'), plain('canary-9e3f17')], context);

const output = (): Promise<void> => Promise.reject(new Error('not this way'));

async function opened(file: string): Promise<OpenAudit> {
  const options = { output, fsync: false, digestKeyFile: undefined, failed: () => undefined };
  return openAudit({ ...options, file, log: keptLog().log });
}

async function intentsIn(folder: string): Promise<Set<string | undefined>> {
  const texts = await Promise.all(
    (await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')),
  );
  const entries = texts.flatMap((text) => text.split('\n')).map((line) => parseEntryLine(line));
  return new Set(entries.filter((entry) => entry?.event === 'intent').map((entry) => entry?.justification));
}

describe('a completed decryption’s audit', () => {
  const acts: [what: string, act: (path: string, n: number) => Promise<unknown>, keeps: boolean][] = [
    ['renamed', (path, n) => rename(path, `${path}.${n}`), true],
    ['removed', (path) => unlink(path), false],
    [
      'replaced',
      (path) => writeFile(`${path}.new`, '', { mode: 0o600 }).then(() => rename(`${path}.new`, path)),
      false,
    ],
  ];

  it.each(acts)(
    'keeps its intent in one of the remaining files, however often the file is %s',
    async (_, act, keeps) => {
      const folder = await mkdtemp(join(directory, 'f'));
      const path = join(folder, 'audit.jsonl');
      const audit = await opened(path);
      const { url } = await serveApp(kms, { audit: audit.audit });
      const body = bodyOf(encrypted);
      const answered: number[] = [];
      const over = new AbortController();
      let next = 0;
      let since = 0;
      const client = async (): Promise<void> => {
        while (!over.signal.aborted) {
          const own = (next += 1);
          const reason = `reason ${own}`;
          const init = posted(body);
          const headers = { ...init.headers, 'x-reveal-justification': reason };
          const response = await fetch(`${url}/decode`, { ...init, headers });
          await response.text();
          if (response.status === 200) answered.push(own);
        }
      };
      const clients = Array.from({ length: 6 }, client);
      for (let n = 0; n < 25; n += 1) {
        await delay(5 + (n % 7));
        await act(path, n).catch(() => undefined);
        // If the file was removed, the intents in it are gone.
        if (!keeps) since = next;
      }
      const later = () => answered.filter((own) => own > since);
      await expect.poll(() => later().length).toBeGreaterThan(10);
      over.abort();
      await Promise.all(clients);
      await audit.close();
      const there = await intentsIn(folder);
      expect(later().filter((own) => !there.has(`reason ${own}`))).toEqual([]);
    },
  );
});

describe('the audit', () => {
  const digests = digestsWith(Buffer.alloc(32, 7));
  async function audited(payloads: Payload[], withDigests = true): Promise<AuditEntry[]> {
    const { audit, entries } = recordedAudit();
    const app = appWith(kms, { audit, ...(withDigests && { digests }) });
    const response = await post(app, '/decode', bodyOf(payloads));
    expect(response.status).toBe(200);
    return entries;
  }

  it('records a digest of each encrypted payload in the intent of /decode', async () => {
    const entries = await audited([...encrypted, plain('canary-2f6a90')]);
    expect(entries[0]).toMatchObject({
      event: 'intent',
      digests: encrypted.map(({ data }) => digests.of(data!)),
    });
    expect(entries[0]!.digests![0]).toMatch(/^[\w-]{22}$/);
    expect(entries[1]).toMatchObject({ event: 'outcome', outcome: { result: 'complete' } });
  });

  it('continues the list of digests in further entries if one entry cannot hold all digests', async () => {
    const many = Array.from({ length: 1_001 }, (_, n) => encrypted[n % 2]!);
    const entries = await audited(many);
    expect(entries.map(({ event, part }) => [event, part])).toEqual([
      ['intent', undefined],
      ...[2, 3, 4, 5, 6].map((part) => ['digests', part]),
      ['outcome', undefined],
    ]);
    expect(new Set(entries.map(({ id }) => id)).size).toBe(1);
    expect(entries.flatMap(({ digests: own = [] }) => own)).toEqual(
      many.map(({ data }) => digests.of(data!)),
    );
  });

  it('contains no digests if no key for digests is configured', async () => {
    for (const entry of await audited(encrypted, false)) expect(entry.digests).toBeUndefined();
  });

  it('computes a digest with a secret key, so that the ciphertext alone does not reveal its digest', () => {
    const other = digestsWith(Buffer.alloc(32, 8));
    expect(other.of(encrypted[0]!.data!)).not.toBe(digests.of(encrypted[0]!.data!));
    expect(other.keyId).not.toBe(digests.keyId);
  });
});
