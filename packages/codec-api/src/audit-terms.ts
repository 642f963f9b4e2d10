import { z } from 'zod/mini';
import { permission } from './identity.ts';

/*
 * The dashboard uses these words in its addresses, so every page loads them. They are separate from
 * `audit.ts`, so that a page need not load the schemas there.
 */

/**
 * The audited operation: the permission that the caller used, or `self_test` for a test of a namespace's
 * keys.
 */
export const auditOperation = z.enum([...permission.options, 'self_test']);
export type AuditOperation = z.infer<typeof auditOperation>;

/**
 * How an operation ended. `cut_off` means that the client disconnected or the server shut down before
 * everything was sent. `signed_out`, `limit` and `shutdown` state why a stream ended early; see `endReason`.
 */
export const auditResult = z.enum(['complete', 'failed', 'cut_off', 'signed_out', 'limit', 'shutdown']);
export type AuditResult = z.infer<typeof auditResult>;
