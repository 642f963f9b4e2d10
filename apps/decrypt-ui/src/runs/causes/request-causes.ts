import { type CauseFrame, causeFrame } from '@temporal-kms/codec-api';
import { accessToCauses, type Reveals } from '../../payloads/reveal/reveals.ts';
import { workflowsPath } from '../../session/server/addresses.ts';
import type { ApiClient } from '../../session/server/client.ts';

export interface CausesSource {
  readonly api: Pick<ApiClient, 'stream' | 'renewed'>;
  readonly reveals: Pick<Reveals, 'store' | 'onForget'>;
}

/** Whether messages may be requested and shown now. */
export const mayDecode = ({ reveals }: Pick<CausesSource, 'reveals'>, namespace: string): boolean =>
  accessToCauses(reveals.store.getState(), namespace).status === 'open';

interface CausesRequest {
  readonly namespace: string;
  readonly query: string;
  readonly after?: string | undefined;
  /** Whether the server decrypts messages and stack traces. */
  readonly decoded: boolean;
}

/** Requests why the runs that match a query failed. */
export function requestCauses(
  { api, reveals }: CausesSource,
  { namespace, query, after, decoded }: CausesRequest,
  signal: AbortSignal,
): AsyncGenerator<CauseFrame> {
  const body = { query, ...(after !== undefined && { after }) };
  const path = workflowsPath(namespace);
  if (!decoded) return api.stream(causeFrame, `${path}:causes`, body, signal);
  const access = accessToCauses(reveals.store.getState(), namespace);
  const justification = access.status === 'open' ? access.grant?.justification : undefined;
  return api.stream(
    causeFrame,
    `${path}:decode-causes`,
    { ...body, ...(justification !== undefined && { justification }) },
    signal,
  );
}

/** Calls a function when the page may no longer show messages of a namespace, or of all. */
export function whenHidden(
  { reveals }: Pick<CausesSource, 'reveals'>,
  namespaces: () => Iterable<string>,
  hide: (namespace: string) => void,
): void {
  reveals.onForget((namespace) => {
    for (const known of namespaces()) if (namespace === undefined || namespace === known) hide(known);
  });
  reveals.store.subscribe(() => {
    for (const known of namespaces()) if (!mayDecode({ reveals }, known)) hide(known);
  });
}
