import type { PayloadView } from '../payloads-context.tsx';
import { decodedAttributes, type FailureLevel } from './failure.ts';

/** Message and stack trace of a level, decrypted if the level has encrypted attributes. */
export function levelText(level: FailureLevel, view: PayloadView): { message: string; stackTrace: string } {
  if (level.encoded !== undefined && view.status === 'readable' && view.value.kind === 'json') {
    return decodedAttributes(view.value.value) ?? level;
  }
  return level;
}
