import { revealReason } from '@temporal-kms/codec-api';
import type { Context } from 'hono';
import { z } from 'zod';
import type { Access } from '../access/access.ts';
import type { Intent } from '../audit/audit.ts';
import { Refusal } from '../refusal.ts';
import type { Authority } from './authorise.ts';
import type { Env } from './context.ts';
import { peerOf } from './peer.ts';
import { checked } from './input.ts';

/**
 * Why the caller wants a namespace's plaintext, as `reasonFor` has it. Ask before anything is decrypted. Somebody who
 * doesn't say it where they must is refused, and that is audited.
 *
 * @param what of which run, where it is known, and for which request
 */
export async function requireReason(
  c: Context<Env>,
  { access, audit }: Authority,
  what: Omit<Intent, 'caller' | 'peer'> & { readonly namespace: string },
  given: string | undefined,
): Promise<string | undefined> {
  try {
    return reasonFor(access, what.namespace, given);
  } catch (error) {
    if (error instanceof Refusal && error.code === 'reason_required')
      await audit.denied({ ...what, caller: c.get('caller'), peer: peerOf(c) }, error.code);
    throw error;
  }
}

const body = z.object({ reason: revealReason });

/**
 * The reason that was given, trimmed, for the audit.
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
