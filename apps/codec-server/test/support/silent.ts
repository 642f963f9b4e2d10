import type { TemporalService } from '../../src/temporal/service.ts';

/** A call to Temporal that never gets a response. The call ends only when the caller aborts it. */
export const silent: TemporalService['history'] = (_, signal) =>
  new Promise((__, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
