import { createAudit, type OpenAudit } from '@temporal-kms/audit';
import type { AuditEntry } from '@temporal-kms/codec-api';
import { createTestCodec } from '@temporal-kms/kms-codec/testing';
import { defaultPayloadConverter } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { CliError } from '../../src/cli/cli-error.ts';
import { decryptInput } from '../../src/decrypt/decrypt-input.ts';
import { afterwards } from '../support/cli.ts';

/**
 * Decrypts a payload with an audit that fails to write one kind of entry. Returns the written output and the
 * recorded entries.
 */
async function decryptWith(failsAt: AuditEntry['event'] | undefined) {
  const codec = createTestCodec({ namespace: 'payments' });
  afterwards(() => codec.close());
  const [payload] = await codec.encode([defaultPayloadConverter.toPayload('plaintext')]);
  const order: string[] = [];
  const audit = createAudit({
    write: async ({ event }) => {
      if (event === failsAt) throw new CliError('configuration', 'The audit cannot be written');
      order.push(event);
    },
  });
  const written: (string | Uint8Array)[] = [];
  const open: OpenAudit = {
    audit,
    digests: undefined,
    head: () => ({ seq: 0, hash: '' }),
    reopen: () => undefined,
    close: async () => undefined,
  };
  const run = decryptInput({
    name: 'a file',
    input: { kind: 'payloads', payloads: [payload!] },
    form: 'readable',
    codec,
    audit: open,
    intent: { caller: { name: 'ana' }, namespace: 'payments', justification: 'ticket 4711' },
    write: (part) => {
      order.push('plaintext');
      written.push(part);
    },
  });
  const failed = await run.then(
    () => undefined,
    (error: unknown) => error,
  );
  return { written, order, failed };
}

describe('decryptInput', () => {
  it('writes plaintext only after the audit contains the outcome', async () => {
    const { written, order } = await decryptWith(undefined);
    expect(order).toEqual(['intent', 'outcome', 'plaintext']);
    expect(written).toEqual(['"plaintext"\n']);
  });

  it.each(['intent', 'outcome'] as const)('writes nothing if the %s cannot be audited', async (event) => {
    const { written, failed } = await decryptWith(event);
    expect(written).toEqual([]);
    expect(failed).toMatchObject({ exit: 'configuration' });
  });
});
