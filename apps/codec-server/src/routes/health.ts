import type { CryptoHealth } from '@temporal-kms/codec-api';
import type { Hono } from 'hono';
import type { Env } from '../http/context.ts';
import { replyJson } from '../http/reply.ts';
import type { ResponseHeaders } from '../http/headers.ts';
import type { Routes } from '../http/routes.ts';
import type { KmsWatch } from '../keys/kms-watch.ts';
import type { TemporalService } from '../temporal/service.ts';

export interface ProbeOptions {
  readonly kms: Pick<KmsWatch, 'last'>;
  /** `KMS_EMULATOR_HOST` is in use: Google protects nothing. */
  readonly emulator: boolean;
  readonly headers: ResponseHeaders;
  readonly stopping: AbortSignal;
}

export interface HealthOptions extends Pick<ProbeOptions, 'kms' | 'emulator'> {
  readonly temporal: TemporalService;
}

/** For whoever runs the process; they tell nothing that is worth guarding, and probes send their own `Host`. */
export function probeRoutes(app: Hono<Env>, { kms, emulator, headers, stopping }: ProbeOptions): void {
  app.get('/healthz', (c) => {
    c.set('headers', headers.of(undefined));
    return replyJson(c, { status: 'ok' });
  });
  // Temporal or Cloud KMS being down is no reason to take every replica out: what needs neither still works.
  app.get('/readyz', (c) => {
    c.set('headers', headers.of(undefined));
    const status = stopping.aborted ? 'stopping' : 'ready';
    return replyJson(c, { status, kms: { ...kms.last(), emulator } }, stopping.aborted ? 503 : 200);
  });
}

export function healthRoutes(routes: Routes, { temporal, kms, emulator }: HealthOptions): void {
  routes.get('/health', 'metadata', async (c) => {
    const healthy = await temporal.healthy(c.req.raw.signal);
    const health: CryptoHealth = {
      kms: { ...kms.last(), emulator },
      temporal: { status: healthy ? 'ok' : 'unavailable' },
    };
    return replyJson(c, health);
  });
}
