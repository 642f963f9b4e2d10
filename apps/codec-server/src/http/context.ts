import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpBindings } from '@hono/node-server';
import type { Caller } from '../access/access.ts';
import type { Headers } from './headers.ts';
import type { HttpMeter } from './meter.ts';
import type { MemoryBudget } from '../memory/budget.ts';

/** What the guards leave for the handlers. */
export interface Env {
  /** What node-server gives, and `listen`; nothing where the app is driven without a port. */
  Bindings: Partial<HttpBindings> & {
    /**
     * Asked for when an answer begins. What it returns breaks the connection off, and throws away what the operating
     * system still has to send on it; not where anything else has been asked on it.
     */
    readonly resetter?: (socket: Socket, outgoing: ServerResponse) => () => void;
  };
  Variables: {
    headers: Headers;
    caller: Caller;
    /** Checked: configured here, and the caller may use it. */
    namespace: string;
    /** For the log, where the pattern that matched says too little. */
    route?: string;
    /** Proxies in front that add to `X-Forwarded-For`; absent: there are none. */
    proxies?: number;
    /** Bytes that the body may have on this path. */
    maxBody: number;
    /** What requests in flight may hold together. */
    memory: MemoryBudget;
    /** Absent where nothing is measured. */
    meter?: HttpMeter;
  };
}
