import type { Logger } from 'pino';
import { messageOf } from '../error-text.ts';
import type { Access } from './access.ts';
import { policyAccess, type PolicyAccessDeps } from './policy-access.ts';
import { readPolicy } from './policy/read.ts';
import { fetchJson } from './tokens/fetch-json.ts';

/**
 * The access that a policy file describes. Issuers' keys are fetched behind it: a provider that is down keeps nobody
 * from starting, and its callers out.
 * @throws PolicyError
 */
export const loadAccess = (file: string, log: Logger, deps: Partial<PolicyAccessDeps> = {}): Access =>
  policyAccess(readPolicy(file), {
    fetchJson,
    now: Date.now,
    providerFailed: (issuer, error) =>
      log.warn({ issuer, reason: messageOf(error) }, "an issuer's keys can't be had"),
    ...deps,
  });
