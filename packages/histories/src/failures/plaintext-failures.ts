import { isRecord } from '@temporal-kms/node-utils/is-record';

/**
 * Counts the failures, with their causes, that an SDK wrote unencrypted into a message of Temporal's API or its proto3
 * JSON.
 *
 * @example
 * plaintextFailures(event.attributes); // 1
 */
export function plaintextFailures(value: unknown): number {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 0;
  let count = isInPlaintext(value) ? 1 : 0;
  for (const inner of Object.values(value)) count += plaintextFailures(inner);
  return count;
}

/** The server's failures (timeouts, cancellations) name no SDK. Proto messages and their JSON have empty texts or none. */
function isInPlaintext(value: object): boolean {
  if (!isRecord(value)) return false;
  const { message, source, stackTrace, encodedAttributes } = value;
  return Boolean(source && source !== 'Server' && !encodedAttributes && (message || stackTrace));
}
