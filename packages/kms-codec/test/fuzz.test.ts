import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { fuzz } from './fuzz/run.ts';

const messages = process.env['SLOW'] ? 25_000 : 10_000;
const seed = 20_261_124;
vi.setConfig({ testTimeout: 120_000 });

const reached = [
  'decrypted',
  'passed',
  'malformed',
  'unsupported_version',
  'namespace_mismatch',
  'workflow_mismatch',
  'key_not_allowed',
  'format_not_allowed',
  'integrity_failed',
  'too_large',
];

describe('mutated, truncated, spliced and cross-namespace messages', () => {
  it('never reveal another namespace’s plaintext, throw an error without a reason code, or cause a Cloud KMS call for an unlisted key', async () => {
    const report = await fuzz(seed, messages);
    process.stdout.write(`fuzz: ${JSON.stringify(report)}\n`);
    expect(Object.values(report.outcomes).reduce((sum, count) => sum + count, 0)).toBe(messages);
    // The fuzzer must reach each outcome in `reached`.
    expect(Object.keys(report.outcomes)).toEqual(expect.arrayContaining(reached));
  });
});

describe('a compressed message', () => {
  const MiB = 2 ** 20;
  const report = z.strictObject({ outcomes: z.array(z.string()), grownBytes: z.number() });
  const decode = async (declared: number, limit: number, times: number) => {
    const script = new URL('fuzz/declared-size.ts', import.meta.url).pathname;
    const args = [script, String(declared), String(limit), String(times)];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    return report.parse(JSON.parse(stdout));
  };

  it('is rejected before memory is allocated if it declares 1 GiB', async () => {
    const { outcomes, grownBytes } = await decode(1024 * MiB, 16 * MiB, 200);
    process.stdout.write(`1 GiB declared, 200 times: ${Math.round(grownBytes / MiB)} MiB more\n`);
    expect(outcomes).toEqual(['too_large']);
    expect(grownBytes).toBeLessThan(32 * MiB);
  });

  it('measurably increases memory use if it declares 64 MiB, which is within the limit', async () => {
    const { outcomes, grownBytes } = await decode(64 * MiB, 64 * MiB, 1);
    // The decompressed content is all zeros, so it is not a valid payload.
    expect(outcomes).toEqual(['malformed']);
    expect(grownBytes).toBeGreaterThan(60 * MiB);
  });
});
