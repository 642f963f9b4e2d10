import type { DecodeFrame } from '@temporal-kms/codec-api';
import type { Logger } from 'pino';
import { MAX_UNOPENED } from '../keys/kms-limits.ts';
import type { Lifetime } from './lifetime.ts';
import type { Opener } from './open-one.ts';
import { openWanted } from './open.ts';
import type { Wanted } from './wanted.ts';

/** The payloads' results, and last an end that says whether all of them are there. */
export async function* decodeFrames(
  codec: Opener,
  log: Logger,
  wanted: readonly Wanted[],
  { signal, over }: Lifetime,
): AsyncGenerator<DecodeFrame, void> {
  const some = affordable(codec, wanted);
  let answered = 0;
  for await (const result of openWanted(codec, log, some, signal)) {
    answered += 1;
    yield result;
  }
  if (answered === wanted.length) {
    yield { type: 'end', reason: 'complete' };
    return;
  }
  const reason = over() ?? (answered === some.length ? 'limit' : 'error');
  if (reason === 'gone') return;
  const message = reason === 'error' ? { message: 'A page of the history could not be read again.' } : {};
  yield { type: 'end', reason, ...message };
}

/**
 * The first of the payloads, as many as need no more data keys than one request may ask Cloud KMS for. Those that are
 * too large to be held are few, and not counted.
 */
function affordable(codec: Pick<Opener, 'unopened'>, wanted: readonly Wanted[]): readonly Wanted[] {
  if (wanted.length <= MAX_UNOPENED) return wanted;
  const needs = (count: number): number => {
    const held = wanted.slice(0, count).flatMap((one) => one.held ?? []);
    return codec.unopened(
      held.map(({ payload }) => payload),
      held[0]?.context,
    );
  };
  let [enough, tooMany] = [MAX_UNOPENED, wanted.length + 1];
  while (tooMany - enough > 1) {
    const middle = Math.floor((enough + tooMany) / 2);
    if (needs(middle) <= MAX_UNOPENED) enough = middle;
    else tooMany = middle;
  }
  return wanted.slice(0, enough);
}
