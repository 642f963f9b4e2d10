import { createHash } from 'node:crypto';
import type { Payload } from '@temporalio/common';

export const KEY = 'projects/p/locations/global/keyRings/r/cryptoKeys/k';

/** A stored message: the version that the message really needs, and whether its header names that version. */
export interface Message {
  readonly version: number;
  readonly named: boolean;
}

const keyId = createHash('sha256').update(KEY).digest().subarray(0, 8);

/**
 * Returns a message as a program stores it. The code follows the specification in docs/wire-formats.md.
 */
export function payloadOf({ version, named }: Message): Payload {
  const encoding = Buffer.from(named ? 'binary/envelope-kms-v2' : 'binary/envelope-kms');
  if (!named) return { metadata: { encoding, 'encrypted-dek': Buffer.of(1) }, data: Buffer.alloc(32) };
  const header = Buffer.alloc(65);
  header[0] = 2;
  header.set(keyId, 2);
  header.writeUInt32BE(version, 10);
  header.writeUInt16BE(1, 62);
  return { metadata: { encoding }, data: Buffer.concat([header, Buffer.alloc(28)]) };
}
