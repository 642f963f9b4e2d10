import type { DecodeFrame } from '@temporal-kms/codec-api';
import type { Logger } from 'pino';
import { KeyBudget } from './key-budget.ts';
import type { Lifetime } from './lifetime.ts';
import type { Opener, OpenOptions } from './open-one.ts';
import { openWanted } from './open.ts';
import type { Wanted } from './wanted.ts';

/** The payloads' results, and last an end that says whether all of them are there. */
export async function* decodeFrames(
  codec: Opener,
  log: Logger,
  wanted: readonly Wanted[],
  lifetime: Lifetime,
  { authorizeNamespace, onInnerLayer }: Pick<OpenOptions, 'authorizeNamespace' | 'onInnerLayer'>,
): AsyncGenerator<DecodeFrame, void> {
  const { over } = lifetime;
  const items = wanted.map(({ held }) => [held]);
  const budget = new KeyBudget(codec);
  const some = wanted.slice(0, budget.take(items));
  const { innerKmsCalls } = budget;
  let answered = 0;
  for await (const result of openWanted(codec, log, some, lifetime, {
    authorizeNamespace,
    onInnerLayer,
    innerKmsCalls,
  })) {
    answered += 1;
    yield result;
  }
  if (answered === wanted.length) {
    yield { type: 'end', reason: 'complete' };
    return;
  }
  const reason = over() ?? (answered + budget.leftOut === some.length ? 'limit' : 'error');
  if (reason === 'gone') return;
  const message = reason === 'error' ? { message: 'A page of the history could not be read again.' } : {};
  yield { type: 'end', reason, ...message };
}
