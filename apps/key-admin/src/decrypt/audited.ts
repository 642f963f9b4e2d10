import type { OpenAudit } from '@temporal-kms/audit';
import type { Payload } from '@temporal-kms/histories/payloads';
import { type KmsCodec, KmsCodecError, type PlaintextBudget } from '@temporal-kms/kms-codec';
import type { ObjectStorage } from '@temporal-kms/payload-storage';
import { type DecryptCounts, Decryptor } from './decryptor.ts';
import { FileAudit, type FileAuditIntent } from './file-audit.ts';

/**
 * Maximum size of the plaintext of a history or of a list of payloads, in bytes. Decompression may make a payload 1,000
 * times as large, and a string in V8 has at most 512 MiB.
 */
const MAX_PLAINTEXT_BYTES = 256 * 2 ** 20;

/** The codec, the audit and the storage that an audited decryption uses. */
export interface Auditing {
  readonly codec: KmsCodec;
  readonly audit: OpenAudit;
  /** External storage; if undefined, references to external storage are returned unchanged. */
  readonly storage?: ObjectStorage | undefined;
}

/**
 * Writes the intent, decrypts, writes the outcome, and only then returns the plaintext.
 * @param payloads the payloads that `decrypt` may decrypt; their digests are part of the intent
 */
export async function audited<T>(
  { codec, audit, storage }: Auditing,
  intent: FileAuditIntent,
  payloads: Iterable<Payload>,
  decrypt: (decryptor: Decryptor) => Promise<T>,
): Promise<{ readonly result: T; readonly counts: DecryptCounts }> {
  const { namespace } = intent;
  const digests = audit.digests && [...digestsOf(codec, audit.digests, payloads)];
  const record = await FileAudit.begin(audit, { ...intent, digests });
  const decryptor = new Decryptor(codec, { namespace, audit: record, budget: plaintextBudget(), storage });
  let result: T;
  try {
    result = await decrypt(decryptor);
  } catch (error) {
    await record.end('failed');
    throw error;
  }
  await record.end('complete');
  return { result, counts: decryptor.counts() };
}

function plaintextBudget(): PlaintextBudget {
  let left = MAX_PLAINTEXT_BYTES;
  return {
    reserve: (bytes) => {
      left -= bytes;
      if (left < 0) throw new KmsCodecError('too_large', 'The plaintext of the input exceeds 256 MiB');
    },
  };
}

function* digestsOf(
  codec: KmsCodec,
  digests: NonNullable<OpenAudit['digests']>,
  payloads: Iterable<Payload>,
): Generator<string, void> {
  for (const payload of payloads) {
    const { format } = codec.inspect(payload);
    if (format !== 'plain' && format !== 'external') yield digests.of(payload.data ?? new Uint8Array());
  }
}
