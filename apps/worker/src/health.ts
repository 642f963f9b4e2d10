import { Hono } from 'hono';

/** The worker's state between its start and its end. It is ready only while `polling`. */
type WorkerPhase =
  | 'starting'
  | 'waiting_for_kms'
  | 'waiting_for_temporal'
  | 'polling'
  | 'restarting'
  | 'stopping';

/** What the health endpoints report. The startup and the supervisor update it. */
export interface WorkerStatus {
  phase: WorkerPhase;
  /** How often the supervisor has replaced a failed worker in this process. */
  restarts: number;
  /** Why the last step failed, absent once it has succeeded: an error code or class, never a message. */
  trouble?: string | undefined;
}

export const initialStatus = (): WorkerStatus => ({ phase: 'starting', restarts: 0 });

export interface HealthDeps {
  readonly status: Readonly<WorkerStatus>;
  readonly taskQueue: string;
  readonly namespace: string;
  /** Whether keys come from the emulator, which protects nothing. */
  readonly kmsEmulator: boolean;
}

/** `/healthz`: liveness. `/readyz`: 200 while the worker polls for tasks, else 503; the body contains its status. */
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
