import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { hashOf } from '../src/chain.ts';
import { openAudit, type OpenAuditOptions } from '../src/open-audit.ts';
import { verifyAudit } from '../src/verify.ts';

const directory = await mkdtemp(join(tmpdir(), 'audit-open-'));
afterAll(() => rm(directory, { recursive: true }));

const intent = {
  operation: 'decode',
  caller: { name: 'ana' },
  peer: undefined,
  namespace: 'payments',
} as const;

/**
 * Opens an audit on standard output, unless the options contain a file. Stops the clock for the audit's timers, because
 * on a busy machine, a write to a file can take longer than the time limit of a line.
 */
async function opened(over: Partial<OpenAuditOptions> = {}) {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const log = { trace: vi.fn(), debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const written: string[] = [];
  const audit = await openAudit({
    file: undefined,
    output: async (text) => void written.push(text),
    fsync: false,
    digestKeyFile: undefined,
    log,
    failed: () => undefined,
    unavailable: (cause) => new Error('unavailable', { cause }),
    ...over,
  });
  const deny = () => audit.audit.denied(intent, 'forbidden');
  return { audit, deny, log, written };
}

describe('openAudit', () => {
  it('writes to standard output if no file is given', async () => {
    const digestKeyFile = join(directory, 'key');
    await writeFile(digestKeyFile, 'ab'.repeat(32), { mode: 0o600 });
    const { audit, deny, written } = await opened({ digestKeyFile, producer: 'producer' });
    await deny();
    await deny();
    audit.reopen();
    await audit.close();
    const { keyId } = audit.digests!;
    const operation = { 'logging.googleapis.com/operation': { producer: 'producer' } };
    expect(written.map((line) => JSON.parse(line))).toMatchObject([
      { auditFile: { event: 'opened', digestKey: keyId } },
      { ...operation, audit: { event: 'denied' } },
      { ...operation, audit: { event: 'denied', count: 1 } },
      { auditFile: { event: 'closed' } },
    ]);
    expect(audit.head()).toEqual({ seq: 4, hash: hashOf(written.at(-1)!) });
  });

  it('writes to a file, and to the next file after a rotation', async () => {
    const file = join(directory, 'audit.jsonl');
    const { audit, deny, written } = await opened({ file });
    await rename(file, `${file}.1`);
    audit.reopen();
    await deny();
    await audit.close();
    const files = [file, `${file}.1`];
    expect(await verifyAudit({ files, mixed: false, expected: [audit.head()], after: [] })).toMatchObject({
      ok: true,
      notes: [],
      files: [{ lines: 3 }, { lines: 1 }],
    });
    expect([written, audit.digests]).toEqual([[], undefined]);
  });

  it('logs the last line at the start, at the end, and every ten minutes if there are new lines', async () => {
    const { audit, deny, log } = await opened();
    const logged = () => log.info.mock.calls.map(([{ head }]) => Number.parseInt(head));
    vi.advanceTimersByTime(10 * 60_000);
    expect(logged()).toEqual([1]);
    await deny();
    vi.advanceTimersByTime(10 * 60_000 - 1);
    expect(logged()).toEqual([1]);
    vi.advanceTimersByTime(1);
    expect(logged()).toEqual([1, 2]);
    await audit.close();
    expect(logged()).toEqual([1, 2, 3]);
    expect(log.info).toHaveBeenCalledWith(
      { instance: expect.stringMatching(/^[0-9a-f]{16}$/), head: expect.stringMatching(/^1:[0-9a-f]{64}$/) },
      'last line of the audit',
    );
    expect(vi.getTimerCount()).toBe(0);
  });

  it('closes the audit and logs the reason if the closing line cannot be written', async () => {
    const output = vi.fn(async () => undefined);
    const { audit, log } = await opened({ output });
    output.mockRejectedValue(new Error('EPIPE'));
    await audit.close();
    expect(log.warn.mock.calls).toEqual([[{ reason: 'unavailable' }, 'audit closed without a closing line']]);
  });
});
