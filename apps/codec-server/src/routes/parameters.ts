import { z } from 'zod';

/** Temporal's default limit on ids (`limit.maxIDLength`). */
export const workflowId = z.string().min(1, 'is missing').max(1_000, 'is longer than 1,000 characters');

export const runId = z.uuid('is not a run id (a UUID)');
