import { Hono } from 'hono';
import type { WorkerStatus } from './status.ts';

export interface HealthDeps {
  readonly status: Readonly<WorkerStatus>;
  readonly taskQueue: string;
  readonly namespace: string;
  /** Whether keys come from the emulator: nothing is protected by Google then. */
  readonly kmsEmulator: boolean;
}

/** `/healthz`: the process lives. `/readyz`: 200 while it polls for tasks, else 503; the body says where it is. */
export function createHealthApp({ status, taskQueue, namespace, kmsEmulator }: HealthDeps): Hono {
  const app = new Hono();
  app.get('/healthz', (context) => context.json({ status: 'ok' }));
  app.get('/readyz', (context) => {
    const ready = status.phase === 'polling';
    return context.json(
      {
        status: ready ? 'ready' : 'not_ready',
        worker: { ...status, namespace, taskQueue },
        kms: { emulator: kmsEmulator },
      },
      ready ? 200 : 503,
    );
  });
  return app;
}
