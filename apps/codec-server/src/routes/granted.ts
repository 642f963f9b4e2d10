import type { Permission } from '@temporal-kms/codec-api';
import type { HistoryCodec } from '../history/decrypt-payload.ts';
import type { taskQueuePollers } from '../history/task-queues.ts';
import type { HistoryReader } from '../history/reader.ts';
import { type Decrypting, type ForGrant, forGrant, type Grant, requireGrant } from '../http/authorise.ts';
import type { TemporalService } from '../temporal/service.ts';

/**
 * The functions of Temporal and the codec that handlers use. Handlers get them only for a grant, and the
 * functions work only in the grant's namespace.
 */
export interface GrantedServices {
  readonly temporal: ForGrant<Reading, GrantedTemporal>;
  readonly reader: ForGrant<Reading, GrantedReader>;
  readonly pollers: ForGrant<'metadata', Pollers>;
  readonly codec: <P extends Decrypting>(grant: Grant<P>) => HistoryCodec<P>;
}

/** Each of these permissions includes reading runs' metadata. */
export type Reading = Exclude<Permission, 'encode' | 'audit'>;
export type GrantedTemporal = Pick<TemporalService, 'list' | 'count' | 'describe'>;
type GrantedReader = Pick<HistoryReader, 'read' | 'lastEvent'>;

type PollersOf = ReturnType<typeof taskQueuePollers>;
/** Reports the workers that poll a task queue in the namespace. */
type Pollers = (queue: Parameters<PollersOf>[1], signal: AbortSignal) => ReturnType<PollersOf>;

interface Services {
  readonly temporal: GrantedTemporal;
  readonly pollers: PollersOf;
  readonly reader: GrantedReader;
  readonly codec: HistoryCodec;
}

const reading = ['metadata', 'decode', 'search', 'export'] as const;
const decrypting = ['decode', 'search', 'export'] as const;

export const grantedServices = ({ temporal, reader, pollers, codec }: Services): GrantedServices => ({
  temporal: forGrant(reading, (namespace) => ({
    list: within(namespace, (...args) => temporal.list(...args)),
    count: within(namespace, (...args) => temporal.count(...args)),
    describe: within(namespace, (...args) => temporal.describe(...args)),
  })),
  reader: forGrant(reading, (namespace) => ({
    read: within(namespace, (...args) => reader.read(...args)),
    lastEvent: within(namespace, (...args) => reader.lastEvent(...args)),
  })),
  pollers: forGrant(['metadata'], (namespace) => (queue, signal) => pollers(namespace, queue, signal)),
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

/** Returns the function, restricted to requests in one namespace. */
const within =
  <Request extends { readonly namespace?: string | null }, Rest extends unknown[], T>(
    namespace: string,
    call: (request: Request, ...rest: Rest) => Promise<T>,
  ) =>
  async (request: Request, ...rest: Rest): Promise<T> => {
    requireSame(namespace, request.namespace);
    return await call(request, ...rest);
  };

/** @throws Error for a namespace other than the grant's, which is a bug in a handler */
function requireSame(namespace: string, used: string | null | undefined): void {
  if (used === namespace) return;
  throw new Error(`A grant for namespace "${namespace}" was used in namespace "${used}"`);
}
