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

/** What the guards and the router store for the handlers. */
export interface Env {
  /** What node-server and `listen` pass; empty where a test calls the app without a port. */
  Bindings: Partial<HttpBindings> & {
    /**
     * Call it when a response begins. It returns a function that resets the connection and discards the data that the
     * operating system has not sent, unless another request has arrived on the connection.
     */
    readonly resetter?: (socket: Socket, outgoing: ServerResponse) => () => void;
  };
  Variables: {
    /** Headers of every response to this origin. */
    headers: Headers;
    caller: Caller;
    /** What the caller uses and may still use. */
    account: Account;
    /** The route's pattern for log and metrics, where Hono's own pattern is too general. */
    route?: string;
    /** Trusted proxies that append to `X-Forwarded-For`; absent: none. */
    proxies?: number;
    /** Largest body on this path, in bytes. */
    maxBody: number;
    /** Memory that requests in flight share. */
    memory: MemoryBudget;
    /** Absent: no metrics. */
    meter?: HttpMeter;
  };
}

/** Counts requests and streams. No label contains anything from a caller. */
export interface HttpMeter {
  request(answered: AnsweredRequest): void;
  /** @returns call it when the stream has ended; further calls change nothing */
  streamOpened(): () => void;
  /** A request was answered 429 because its caller or address exceeded a rate limit. */
  rateLimited(limit: RateLimit): void;
}

/** A request and its response; the time of a stream ends with its head. */
interface AnsweredRequest {
  readonly method: string;
  /** The route's pattern, never a path. */
  readonly route: string;
  readonly status: number;
  readonly ms: number;
}

/**
 * Returns the client's address: the other end of the connection or, behind trusted proxies, the address that the
 * outermost of them wrote into `X-Forwarded-For`. A client can forge only entries to the left of that.
 * @returns undefined where a test calls the app without a port
 */
export function clientAddress(c: Context<Env>): string | undefined {
  const peer = c.env?.incoming?.socket.remoteAddress;
  const proxies = c.get('proxies');
  if (proxies === undefined) return peer;
  const forwarded = c.req.header('x-forwarded-for')?.split(',').at(-proxies)?.trim();
  return forwarded !== undefined && isIP(forwarded) > 0 ? forwarded : peer;
}

type WithBindings = { readonly env?: Env['Bindings'] };

/** Whether no client waits for the response any longer: it disconnected, or a timeout answered the request. */
export function isResponseClosed({ env }: WithBindings): boolean {
  const outgoing = env?.outgoing;
  return outgoing !== undefined && (outgoing.destroyed || outgoing.writableEnded);
}

/** What the codec asks and reports while it decrypts for a request. */
type NamespaceHooks = Required<Pick<CallOptions, 'authorizeNamespace' | 'onInnerLayer' | 'innerKmsCalls'>>;

/**
 * The codec's call options for one request. The abort signal is created when the codec first waits: creating one costs
 * more than the other checks of a small request together.
 */
export class RequestSignal implements CallOptions {
  readonly authorizeNamespace?: NonNullable<NamespaceHooks['authorizeNamespace']>;
  readonly onInnerLayer?: NamespaceHooks['onInnerLayer'];
  readonly innerKmsCalls?: NamespaceHooks['innerKmsCalls'];
  readonly #request: WithBindings;
  readonly budget: PlaintextBudget;
  #signal: AbortSignal | undefined;

  /** @param hooks of a request that decrypts */
  constructor(request: WithBindings, budget: PlaintextBudget, hooks?: NamespaceHooks) {
    this.#request = request;
    this.budget = budget;
    if (hooks === undefined) return;
    this.authorizeNamespace = hooks.authorizeNamespace;
    this.onInnerLayer = hooks.onInnerLayer;
    this.innerKmsCalls = hooks.innerKmsCalls;
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
