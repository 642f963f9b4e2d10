import { createDecipheriv, hkdfSync } from 'node:crypto';

/*
 * Finds the data keys of `envelope-v2` messages. This module must derive the data keys, because Cloud KMS
 * wraps only the branch keys.
 */

const VERSION = 2;
const NAMESPACE_TAG = 14;
const WORKFLOW_TAG = 30;
const SALT_BYTES = 16;
const COMMITMENT_BYTES = 16;

/** Returns the `envelope-v2` messages in JSON with payloads. */
export const messagesIn = (json: string): Buffer[] =>
  [...json.matchAll(/"data":"([\w+/=]+)"/g)]
    .map(([, data = '']) => Buffer.from(data, 'base64'))
    .filter((data) => data[0] === VERSION && data.length > 100);

const saltAt = (message: Uint8Array): number => WORKFLOW_TAG + ((message[1] ?? 0) & 1 ? 16 : 0);

/**
 * Returns the possible data keys of the messages: one for each combination of a salt and a key that may be
 * the branch key.
 */
export function derivedKeys(
  branchKeys: readonly Uint8Array[],
  messages: readonly Uint8Array[],
): Uint8Array[] {
  const keys = new Map<string, Uint8Array>();
  for (const message of messages) {
    const salt = message.subarray(saltAt(message), saltAt(message) + SALT_BYTES);
    const tag = message.subarray(NAMESPACE_TAG, WORKFLOW_TAG);
    const info = Buffer.concat([Buffer.from('temporal-kms/v2/data-key\0'), tag]);
    for (const branchKey of branchKeys) {
      const key = Buffer.from(hkdfSync('sha256', branchKey, salt, info, 32));
      keys.set(key.toString('hex'), key);
    }
  }
  return [...keys.values()];
}

/** Returns whether a data key decrypts a message. */
export function decrypts(dataKey: Uint8Array, message: Uint8Array): boolean {
  const lengthAt = saltAt(message) + SALT_BYTES + COMMITMENT_BYTES;
  const nonceAt = lengthAt + 2 + Buffer.from(message).readUInt16BE(lengthAt);
  const nonce = message.subarray(nonceAt, nonceAt + 12);
  const decipher = createDecipheriv('aes-256-gcm', dataKey, nonce, { authTagLength: 16 });
  decipher.setAAD(message.subarray(0, nonceAt)).setAuthTag(message.subarray(-16));
  decipher.update(message.subarray(nonceAt + 12, -16));
  try {
    decipher.final();
    return true;
  } catch {
    return false;
  }
}
