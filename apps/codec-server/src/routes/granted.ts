import type { Permission } from '@temporal-kms/codec-api';
import { type Payload, workflowContext } from '@temporal-kms/histories/payloads';
import type { CallOptions, KmsCodec } from '@temporal-kms/kms-codec';
import type { HistoryCodec } from '../history/decrypt-payload.ts';
import type { taskQueuePollers } from '../history/task-queues.ts';
import type { HistoryReader } from '../history/reader.ts';
import { type Decrypting, type ForGrant, forGrant, type Grant, requireGrant } from '../http/authorise.ts';
import { requireEncryptKey } from '../protocol/codec-protocol.ts';
import { retrievalIn, type ServedStorage } from '../storage/retrieval.ts';
import type { TemporalService } from '../temporal/service.ts';

/**
 * The functions of Temporal and the codec that handlers use. Handlers get these functions only for a grant,
 * and the functions work only in the grant's namespace.
 */
export interface GrantedServices {
  readonly temporal: ForGrant<Reading, GrantedTemporal>;
  readonly reader: ForGrant<Reading, GrantedReader>;
  readonly pollers: ForGrant<'metadata', Pollers>;
  readonly queries: ForGrant<'query', Pick<TemporalService, 'query'>>;
  readonly encoder: ForGrant<'encode', Encode>;
  readonly codec: <P extends Decrypting>(grant: Grant<P>) => HistoryCodec<P>;
  readonly retrieval: ForGrant<Decrypting, ReturnType<ReturnType<typeof retrievalIn>>>;
}

/** Each of these permissions includes reading runs' metadata. */
export type Reading = Exclude<Permission, 'encode' | 'query' | 'audit'>;
export type GrantedTemporal = Pick<TemporalService, 'list' | 'count' | 'describe' | 'schedules' | 'schedule'>;
type GrantedReader = Pick<HistoryReader, 'read' | 'lastEvent' | 'lastTasks' | 'lastTaskEnd'>;

type PollersOf = ReturnType<typeof taskQueuePollers>;
/** Reports the workers that poll a task queue in the namespace. */
type Pollers = (
  queue: Parameters<PollersOf>[1],
  signal: AbortSignal,
  named?: boolean,
) => ReturnType<PollersOf>;

/** Encrypts payloads for a workflow, as the workflow's clients do. */
type Encode = (
  payloads: Payload[],
  workflowId: string,
  options: CallOptions,
) => ReturnType<KmsCodec['encodeWithInfo']>;

interface Services {
  readonly temporal: GrantedTemporal & Pick<TemporalService, 'query'>;
  readonly pollers: PollersOf;
  readonly reader: GrantedReader;
  readonly codec: HistoryCodec & Pick<KmsCodec, 'encodeWithInfo' | 'rules'>;
  readonly storage?: ServedStorage | undefined;
}

const reading = ['metadata', 'decode', 'search', 'export'] as const;
const decrypting = ['decode', 'search', 'export'] as const;

export const grantedServices = ({
  temporal,
  reader,
  pollers,
  codec,
  storage,
}: Services): GrantedServices => ({
  retrieval: forGrant(decrypting, retrievalIn(storage)),
  temporal: forGrant(reading, (namespace) => ({
    list: within(namespace, (...args) => temporal.list(...args)),
    count: within(namespace, (...args) => temporal.count(...args)),
    describe: within(namespace, (...args) => temporal.describe(...args)),
    schedules: within(namespace, (...args) => temporal.schedules(...args)),
    schedule: within(namespace, (...args) => temporal.schedule(...args)),
  })),
  reader: forGrant(reading, (namespace) => ({
    read: within(namespace, (...args) => reader.read(...args)),
    lastEvent: within(namespace, (...args) => reader.lastEvent(...args)),
    lastTasks: within(namespace, (...args) => reader.lastTasks(...args)),
    lastTaskEnd: within(namespace, (...args) => reader.lastTaskEnd(...args)),
  })),
  pollers: forGrant(
    ['metadata'],
    (namespace) => (queue, signal, named) => pollers(namespace, queue, signal, named),
  ),
  queries: forGrant(['query'], (namespace) => ({
    query: within(namespace, (...args) => temporal.query(...args)),
  })),
  encoder: forGrant(['encode'], (namespace) => {
    requireEncryptKey(codec, namespace);
    return (payloads, workflowId, options) =>
      codec.encodeWithInfo(payloads, workflowContext({ namespace, workflowId }), options);
  }),
  codec: (grant) => {
    requireGrant(grant, decrypting);
    const { namespace, permission } = grant;
    return {
      use: permission,
      inspect: (...args) => codec.inspect(...args),
      plan: (...args) => codec.plan(...args),
      decrypt: async (payload, context, options) => {
        requireSame(namespace, context?.namespace);
        return await codec.decrypt(payload, context, options);
      },
    };
  },
});

/** Restricts a function to requests in one namespace. */
const within =
  <Request extends { readonly namespace?: string | null }, Rest extends unknown[], T>(
    namespace: string,
    call: (request: Request, ...rest: Rest) => Promise<T>,
  ) =>
  async (request: Request, ...rest: Rest): Promise<T> => {
    requireSame(namespace, request.namespace);
    return await call(request, ...rest);
  };

/** @throws Error for a namespace other than the grant's, because only a bug in a handler can cause that */
function requireSame(namespace: string, used: string | null | undefined): void {
  if (used === namespace) return;
  throw new Error(`A grant for namespace "${namespace}" was used in namespace "${used}"`);
}
