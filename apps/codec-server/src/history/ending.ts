import type { EndReason } from '@temporal-kms/codec-api';
import type { Logger } from 'pino';
import { HttpError, nameOf } from '../errors.ts';
import type { Lifetime } from './lifetime.ts';

/**
 * What a stream that threw says in its last line; undefined when nobody reads it any more. Unexpected faults go to the
 * log by name alone: their messages may quote what was being read.
 */
export function endOf(
  error: unknown,
  { over }: Pick<Lifetime, 'over'>,
  log: Logger,
  what: string,
): { reason: Exclude<EndReason, 'complete'>; message?: string } | undefined {
  const reason = over();
  if (reason === 'gone') return undefined;
  if (reason !== undefined) return { reason };
  if (error instanceof HttpError) return { reason: 'error', message: error.message };
  log.error({ error: nameOf(error) }, `${what} stream failed unexpectedly`);
  return { reason: 'error', message: 'The server failed; its log says where.' };
}
