import { type CauseFrame, causeFrame } from '@temporal-kms/codec-api';
import { accessToCauses } from '../../payloads/reveal/reveals.ts';
import { grantOf, type HiddenWith, type Opening, openingOf } from '../../payloads/reveal/when-hidden.ts';
import { workflowsPath } from '../../session/server/addresses.ts';
import type { ApiClient } from '../../session/server/client.ts';

export interface CausesSource extends HiddenWith {
  readonly api: Pick<ApiClient, 'stream' | 'renewed'>;
}

/**
 * Returns whether the messages and stack traces of a namespace's failures may be requested now, and for which
 * reveal.
 */
export const openingToCauses = (source: Pick<CausesSource, 'reveals'>, namespace: string): Opening =>
  openingOf(source, accessToCauses, namespace);

interface CausesRequest extends Opening {
  readonly query: string;
  readonly after?: string | undefined;
  /** The person's justification, if they gave one without a reveal. */
  readonly justification?: string | undefined;
}

/** Asks the server why the runs that match a query failed. */
export function requestCauses(
  { api, reveals }: CausesSource,
  { query, after, justification: given, ...opening }: CausesRequest,
  signal: AbortSignal,
): AsyncGenerator<CauseFrame> {
  const body = { query, ...(after !== undefined && { after }) };
  const path = workflowsPath(opening.namespace);
  if (!opening.decoded) return api.stream(causeFrame, `${path}:causes`, body, signal);
  const justification = grantOf(reveals.store.getState(), opening)?.justification ?? given;
  return api.stream(
    causeFrame,
    `${path}:decode-causes`,
    { ...body, ...(justification !== undefined && { justification }) },
    signal,
  );
}
