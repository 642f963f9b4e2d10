import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { Caller } from '../access/access.ts';
import type { Headers } from './headers.ts';
import type { HttpMeter } from './meter.ts';

/** What the guards leave for the handlers. */
export interface Env {
  /** What node-server gives; nothing where the app is driven without a port. */
  Bindings: Partial<HttpBindings>;
  Variables: {
    headers: Headers;
    caller: Caller;
    /** Checked: configured here, and the caller may use it. */
    namespace: string;
    /** For the log, where the pattern that matched says too little. */
    route?: string;
    /** Absent where nothing is measured. */
    meter?: HttpMeter;
  };
}

/** Address of the connection's other end; absent where the app is driven without a port. */
export const peerOf = (c: Context<Env>): string | undefined => c.env?.incoming?.socket.remoteAddress;
