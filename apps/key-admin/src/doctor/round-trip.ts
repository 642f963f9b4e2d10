import { randomUUID } from 'node:crypto';
import { type CloudKms, createKmsCodec, KmsCodecError, type KmsSettings } from '@temporal-kms/kms-codec';
import { messageOf } from '@temporal-kms/node-utils/error-details';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { googleError } from '../google/errors.ts';
import { type Finding, findings } from '../cli/finding.ts';
import { type Caller, memberOf } from './keys.ts';

const { ok, failed } = findings('round trip');

export interface RoundTrip {
  readonly found: readonly Finding[];
  /** The encrypted payload and its plaintext, for the codec server's check. */
  readonly sample?: { readonly encrypted: Payload; readonly plaintext: string };
}

/**
 * Encrypts and decrypts a payload in a namespace as the application does, but with empty caches and without
 * the branch-key store.
 */
export async function checkRoundTrip(
  caller: Caller,
  settings: KmsSettings,
  namespace: string,
): Promise<RoundTrip> {
  const { openBranchKeyStore: _, ...withoutStore } = settings;
  const calls: string[] = [];
  const codec = createKmsCodec(withoutStore, {
    namespace,
    observer: {
      kmsCall: ({ operation, milliseconds }) => calls.push(`${operation} ${Math.round(milliseconds)} ms`),
    },
  });
  // Gives a workflow id, because a namespace may require messages that are bound to a workflow.
  const context = { namespace, workflowId: 'temporal-kms doctor' };
  const plaintext = `temporal-kms doctor ${randomUUID()}`;
  const start = performance.now();
  try {
    const [encrypted] = await codec.encode([defaultPayloadConverter.toPayload(plaintext)], context);
    // A second codec decrypts, because the first codec has the branch key in memory.
    const reader = createKmsCodec(withoutStore, {
      namespace,
      observer: {
        kmsCall: ({ operation, milliseconds }) => calls.push(`${operation} ${Math.round(milliseconds)} ms`),
      },
    });
    try {
      const [decrypted] = await reader.decode(encrypted === undefined ? [] : [encrypted], context);
      const isSame =
        decrypted !== undefined && defaultPayloadConverter.fromPayload<string>(decrypted) === plaintext;
      if (!isSame || encrypted === undefined)
        return { found: [failed(`${namespace}: the payload decrypted to a different text`)] };
      return {
        found: [
          ok(
            `a payload of ${namespace} was encrypted and decrypted: ${calls.join(', ')}`,
            performance.now() - start,
          ),
        ],
        sample: { encrypted, plaintext },
      };
    } finally {
      await reader.close();
    }
  } catch (error) {
    return { found: [failure(caller, error, namespace)] };
  } finally {
    await codec.close();
  }
}

/** Approximate length in bytes of the ciphertext that Cloud KMS returns for a branch key with its date. */
const CIPHERTEXT_BYTES = 120;

/**
 * Checks the permission to decrypt for an identity that may not encrypt. Sends random bytes to Cloud KMS:
 * only a caller with the permission gets the error that the bytes are not a ciphertext.
 */
export async function checkDecryption(
  caller: Caller,
  service: CloudKms,
  key: string,
): Promise<readonly Finding[]> {
  const start = performance.now();
  try {
    await service.unwrap({ key, ciphertext: new Uint8Array(CIPHERTEXT_BYTES), aad: new Uint8Array() });
    return [failed(`${key} decrypted bytes that it had not encrypted`)];
  } catch (error) {
    if (error instanceof KmsCodecError && error.code === 'integrity_failed') {
      return [ok(`${key} answers Decrypt`, performance.now() - start)];
    }
    return [failure(caller, error, key)];
  }
}

function failure(caller: Caller, error: unknown, subject: string): Finding {
  if (!(error instanceof KmsCodecError)) return failed(`${subject}: ${messageOf(error)}`);
  const resource = error.key ?? subject;
  const role = `roles/cloudkms.cryptoKey${caller.app === 'worker' ? 'Encrypter' : ''}Decrypter`;
  const { message, fix } = googleError(error, { resource, role, member: memberOf(caller, resource) });
  return failed(message, ...fix);
}
