import type { TemporalService } from '../../src/temporal/service.ts';

/** A call to a Temporal server that never responds. The call ends only when the caller aborts it. */
export const silent: TemporalService['history'] = (_, signal) =>
  new Promise((__, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
