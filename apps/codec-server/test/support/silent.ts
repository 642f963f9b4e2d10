import type { TemporalService } from '../../src/temporal/service.ts';

/** Temporal where it never answers: the call ends only when whoever asked no longer wants to know. */
export const silent: TemporalService['history'] = (_, signal) =>
  new Promise((__, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
