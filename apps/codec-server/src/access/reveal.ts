import { revealReason } from '@temporal-kms/codec-api';
import { z } from 'zod';
import { checked } from '../http/input.ts';
import { Refusal } from '../http/refusal.ts';
import type { Access } from './access.ts';

const body = z.object({ reason: revealReason });

/**
 * Why the caller wants a namespace's plaintext, trimmed, for the audit. Ask before anything is decrypted.
 *
 * @param given field `reason` of a body, or the header `X-Reveal-Reason`; 1 to 500 characters
 * @returns undefined where none is given and none is needed
 * @throws Refusal 403 `reason_required` when the namespace opens on demand and no reason is given; 400 when the
 * reason is empty or too long
 */
export function reasonFor(
  access: Pick<Access, 'reveal'>,
  namespace: string,
  given: string | undefined,
): string | undefined {
  if (given !== undefined) return checked(body, { reason: given }).reason;
  if (access.reveal(namespace) === 'automatic') return undefined;
  throw new Refusal(
    403,
    'reason_required',
    `Payloads of namespace "${namespace}" open only to those who say why, in 1 to 500 characters: send "reason" in ` +
      'the body, or to a codec endpoint the header X-Reveal-Reason ' +
      '(temporal … --codec-header "X-Reveal-Reason=ticket 4711"). The reason is kept in the audit.',
  );
}
