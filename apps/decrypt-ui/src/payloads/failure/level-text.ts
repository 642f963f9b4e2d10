import { decodedAttributes, type FailureLevel } from '@temporal-kms/histories/failures';
import type { PayloadView } from '../payloads-context.tsx';

/** Returns a level's message and stack trace, decrypted if the level has encrypted attributes. */
export function levelText(level: FailureLevel, view: PayloadView): { message: string; stackTrace: string } {
  if (level.encoded !== undefined && view.status === 'readable' && view.value.kind === 'json') {
    return decodedAttributes(view.value.value) ?? level;
  }
  return level;
}
