import { type CauseFrame, causeFrame } from '@temporal-kms/codec-api';
import type { PlaintextCache } from '../../payloads/reveal/plaintext-cache.ts';
import { accessToCauses, type Reveals, type RevealsState } from '../../payloads/reveal/reveals.ts';
import { workflowsPath } from '../../session/server/addresses.ts';
import type { ApiClient } from '../../session/server/client.ts';

export interface CausesSource {
  readonly api: Pick<ApiClient, 'stream' | 'renewed'>;
  readonly reveals: Pick<Reveals, 'store' | 'onForget'>;
  readonly plaintext: Pick<PlaintextCache, 'onClear'>;
}

/** Whether the server decrypts messages and stack traces, and for which reveal. */
export interface CausesOpening {
  readonly namespace: string;
  readonly decoded: boolean;
  /** The reveal's id; undefined if the namespace reveals automatically. */
  readonly grant: string | undefined;
}

/** Returns how causes of a namespace may be requested and shown now. */
export function openingOf({ reveals }: Pick<CausesSource, 'reveals'>, namespace: string): CausesOpening {
  const access = accessToCauses(reveals.store.getState(), namespace);
  const decoded = access.status === 'open';
  return { namespace, decoded, grant: decoded ? access.grant?.id : undefined };
}

/** Messages of one reveal are never shown for another: the audit would lack the other's justification. */
const mayShow = (state: RevealsState, { namespace, grant }: CausesOpening): boolean =>
  accessToCauses(state, namespace).status === 'open' &&
  (grant === undefined || state.grants.some(({ id }) => id === grant));

interface CausesRequest extends CausesOpening {
  readonly query: string;
  readonly after?: string | undefined;
  /** A justification that was given without a reveal. */
  readonly justification?: string | undefined;
}

/** Requests why the runs that match a query failed. */
export function requestCauses(
  { api, reveals }: CausesSource,
  { namespace, query, after, decoded, grant, justification: given }: CausesRequest,
  signal: AbortSignal,
): AsyncGenerator<CauseFrame> {
  const body = { query, ...(after !== undefined && { after }) };
  const path = workflowsPath(namespace);
  if (!decoded) return api.stream(causeFrame, `${path}:causes`, body, signal);
  const { grants } = reveals.store.getState();
  const justification = grants.find(({ id }) => id === grant)?.justification ?? given;
  return api.stream(
    causeFrame,
    `${path}:decode-causes`,
    { ...body, ...(justification !== undefined && { justification }) },
    signal,
  );
}

/** Calls `hide` when the page may no longer show the messages that it holds. */
export function whenHidden(
  { reveals, plaintext }: Pick<CausesSource, 'reveals' | 'plaintext'>,
  held: () => CausesOpening | undefined,
  hide: () => void,
): void {
  plaintext.onClear(hide);
  reveals.onForget((namespace) => {
    const now = held();
    if (now?.decoded && (namespace === undefined || namespace === now.namespace)) hide();
  });
  reveals.store.subscribe((state) => {
    const now = held();
    if (now?.decoded && !mayShow(state, now)) hide();
  });
}
