import { isRecord } from '@temporal-kms/node-utils/is-record';

/**
 * Counts the unencrypted failures and causes that an SDK wrote into a message of Temporal's API, or into its
 * proto3 JSON.
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

/**
 * Returns whether a value is an SDK's failure with an unencrypted message or stack trace. The server's failures
 * (timeouts, cancellations) do not name an SDK as their source. An unset string is empty in a proto message and
 * absent in its JSON.
 */
function isInPlaintext(value: object): boolean {
  if (!isRecord(value)) return false;
  const { message, source, stackTrace, encodedAttributes } = value;
  return Boolean(source && source !== 'Server' && !encodedAttributes && (message || stackTrace));
}
