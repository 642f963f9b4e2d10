import { invalidArgument } from './errors.ts';

const MAX_LABELS = 64;
const keyPattern = /^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u;
const valuePattern = /^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u;

/**
 * Returns the labels if they follow the rules of cloud.google.com/kms/docs/labeling-keys.
 *
 * @throws KmsError INVALID_ARGUMENT, with the label in the message
 */
export function checkLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(labels);
  if (entries.length > MAX_LABELS)
    throw invalidArgument(`A CryptoKey can have at most ${MAX_LABELS} labels.`);
  for (const [key, value] of entries) {
    if (!keyPattern.test(key)) throw invalidArgument(`The label key '${key}' is invalid.`);
    if (!valuePattern.test(value)) throw invalidArgument(`The value of the label '${key}' is invalid.`);
  }
  return Object.fromEntries(entries);
}
