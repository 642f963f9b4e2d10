import type { ServerResponse } from 'node:http';
import { isIP, type Socket } from 'node:net';
import type { HttpBindings } from '@hono/node-server';
import type { CallOptions, PlaintextBudget } from '@temporal-kms/kms-codec';
import type { Context } from 'hono';
import type { Caller } from '../access/access.ts';
import { ClientDisconnected } from '../errors.ts';
import type { MemoryBudget } from '../memory.ts';
import type { Account, RateLimit } from './account.ts';

export type Headers = Readonly<Record<string, string>>;

/** Variables that the guards and the router set for the handlers. */
export interface Env {
  /** The values that node-server and `listen` pass; empty if a test calls the app without a port. */
  Bindings: Partial<HttpBindings> & {
    /**
     * Call this function when a response begins. Returns a function that resets the connection and discards
     * data that the operating system has not sent, unless another request has arrived on the connection.
     */
    readonly resetter?: (socket: Socket, outgoing: ServerResponse) => () => void;
  };
  Variables: {
    /** The headers of every response, which depend on the request's origin. */
    headers: Headers;
    caller: Caller;
    /** The caller's current use and remaining allowances. */
    account: Account;
    /** The route's pattern for the log and the metrics, if Hono's own pattern is too general. */
    route?: string;
    /** Number of addresses that trusted proxies append to `X-Forwarded-For`, including the client's. Default: 0. */
    proxies?: number;
    /** Maximum size of a body on this path, in bytes. */
    maxBody: number;
    /** Memory that requests in flight share. */
    memory: MemoryBudget;
    /** Without a meter, requests are not measured. */
    meter?: HttpMeter;
  };
}

/** Counts requests and streams. Labels never contain anything from a caller. */
export interface HttpMeter {
  request(answered: AnsweredRequest): void;
  /** @returns a function to call when the stream has ended; further calls do nothing */
  streamOpened(): () => void;
  /** Counts a request that got 429 because its caller or address exceeded a rate limit. */
  rateLimited(limit: RateLimit): void;
}

/** A request and its response. For a stream, the duration ends when the response headers are sent. */
interface AnsweredRequest {
  readonly method: string;
  /** The route's pattern, never a path. */
  readonly route: string;
  readonly status: number;
  readonly ms: number;
}

/**
 * Returns the client's address: the other end of the connection or, behind trusted proxies, the address that
 * the outermost trusted proxy appended to `X-Forwarded-For`. Clients can forge only entries to the left of
 * that address.
 * @returns undefined if a test calls the app without a port
 */
export function clientAddress(c: Context<Env>): string | undefined {
  const peer = c.env?.incoming?.socket.remoteAddress;
  const proxies = c.get('proxies');
  if (proxies === undefined) return peer;
  const forwarded = c.req.header('x-forwarded-for')?.split(',').at(-proxies)?.trim();
  return forwarded !== undefined && isIP(forwarded) > 0 ? forwarded : peer;
}

type WithBindings = { readonly env?: Env['Bindings'] };

/**
 * Whether the client no longer waits for the response, because the client disconnected or the request timed
 * out.
 */
export function isResponseClosed({ env }: WithBindings): boolean {
  const outgoing = env?.outgoing;
  return outgoing !== undefined && (outgoing.destroyed || outgoing.writableEnded);
}

/** Functions that the codec calls while it decrypts for a request. */
type NamespaceHooks = Required<Pick<CallOptions, 'authorizeNamespace' | 'onInnerLayer' | 'innerKmsCalls'>> &
  Pick<CallOptions, 'overwrite'>;

/**
 * The codec's call options for one request. Creates the abort signal only when the codec first waits, because
 * creating a signal costs more than all other checks of a small request together.
 */
export class RequestSignal implements CallOptions {
  readonly authorizeNamespace?: NonNullable<NamespaceHooks['authorizeNamespace']>;
  readonly onInnerLayer?: NamespaceHooks['onInnerLayer'];
  readonly innerKmsCalls?: NamespaceHooks['innerKmsCalls'];
  readonly overwrite?: boolean | undefined;
  readonly #request: WithBindings;
  readonly budget: PlaintextBudget;
  #signal: AbortSignal | undefined;

  /** @param hooks for a request that decrypts */
  constructor(request: WithBindings, budget: PlaintextBudget, hooks?: NamespaceHooks) {
    this.#request = request;
    this.budget = budget;
    if (hooks === undefined) return;
    this.authorizeNamespace = hooks.authorizeNamespace;
    this.onInnerLayer = hooks.onInnerLayer;
    this.innerKmsCalls = hooks.innerKmsCalls;
    this.overwrite = hooks.overwrite;
  }

  /** Aborted with ClientDisconnected when the response closes. */
  get signal(): AbortSignal {
    return (this.#signal ??= closeSignal(this.#request));
  }
}

function closeSignal(request: WithBindings): AbortSignal {
  const closed = new AbortController();
  if (isResponseClosed(request)) closed.abort(new ClientDisconnected());
  else request.env?.outgoing?.once('close', () => closed.abort(new ClientDisconnected()));
  return closed.signal;
}
