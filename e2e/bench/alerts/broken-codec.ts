/*
 * `node --import broken-codec.ts` starts a worker whose codec has a bug. Once the file that BROKEN_FILE names
 * exists, `encode` throws an error that the SDK does not expect.
 */
import { existsSync } from 'node:fs';
import { KmsCodec } from '@temporal-kms/kms-codec';

// oxlint-disable-next-line typescript/unbound-method -- apply() binds it
const { encode } = KmsCodec.prototype;

KmsCodec.prototype.encode = function broken(this: KmsCodec, ...given): ReturnType<typeof encode> {
  if (existsSync(process.env['BROKEN_FILE'] ?? '')) throw new TypeError('The codec has a bug.');
  return encode.apply(this, given);
};
