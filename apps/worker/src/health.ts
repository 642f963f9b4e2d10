import type { WorkerReadiness } from '@temporal-kms/worker-kit';
import { Hono } from 'hono';
import { version } from './version.ts';

export interface HealthDeps {
  readonly readiness: () => WorkerReadiness;
  readonly taskQueue: string;
  readonly namespace: string;
  /** Whether keys come from the emulator, which protects nothing. */
  readonly kmsEmulator: boolean;
}

/**
 * Creates the health endpoints. `/healthz` is the liveness probe. `/readyz` returns 200 while the worker
 * polls for tasks, otherwise 503, with the measurements in the body. `/version` returns the version.
 */
export function createHealthApp({ readiness, taskQueue, namespace, kmsEmulator }: HealthDeps): Hono {
  const app = new Hono();
  app.get('/healthz', (context) => context.json({ status: 'ok' }));
  app.get('/version', (context) => context.json({ version }));
  app.get('/readyz', (context) => {
    const { status, autonomySeconds, kmsFailure, temporalReachable, ...worker } = readiness();
    return context.json(
      {
        status,
        worker: { ...worker, namespace, taskQueue },
        temporal: { reachable: temporalReachable ?? null },
        kms: {
          emulator: kmsEmulator,
          // JSON cannot contain infinity.
          autonomySeconds: Number.isFinite(autonomySeconds) ? autonomySeconds : null,
          ...(kmsFailure !== undefined && { failure: kmsFailure }),
        },
      },
      status === 'not_ready' ? 503 : 200,
    );
  });
  return app;
}
