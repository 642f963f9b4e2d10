import { QUERY_SECONDS, queryFrame, queryRequest } from '@temporal-kms/codec-api';
import { keyOf, workflowContext } from '@temporal-kms/histories/payloads';
import { KmsCodecError } from '@temporal-kms/kms-codec';
import { argumentPayloads, queryFrames } from '../history/query.ts';
import { authorise, requireJustification } from '../http/authorise.ts';
import { isResponseClosed, RequestSignal } from '../http/context.ts';
import { defineRoute, type Route } from '../http/define-route.ts';
import { leaseOf } from '../http/request-memory.ts';
import type { MemoryLease } from '../memory.ts';
import { chargedTo } from '../observability/kms-calls.ts';
import { httpErrorOf } from '../protocol/audited-slices.ts';
import { responseMemory } from '../temporal/bounded-responses.ts';
import {
  admitDecryption,
  beginAudit,
  codecOf,
  RUN,
  type RunRoutesOptions,
  streamDecoded,
  withLease,
} from './run-stream.ts';
import { inspectFor } from './workflows.ts';

/** The route that sends a query about a run to a worker. */
export function queryRoute(options: RunRoutesOptions): Route {
  const { authority, log, inspect } = options;
  return defineRoute({
    method: 'post',
    path: `${RUN}/query`,
    operationId: 'queryWorkflow',
    summary: 'Sends a query about a run to a worker, and decrypts the answer',
    description:
      'The caller also needs the permission `decode`, because the answer consists of payloads, and `encode` for a query with ' +
      `arguments, which the server encrypts. If no worker answers within ${QUERY_SECONDS} s, the code is \`no_worker\`. ` +
      'The audit names the type of the query, but not the arguments.',
    requires: 'query',
    body: queryRequest,
    response: {
      description: 'An `answer`, then its payloads in the order in which they become ready, then an `end`',
      type: 'application/x-ndjson',
      schema: queryFrame,
    },
    admit: admitDecryption(options),
    handler: async (
      c,
      { grant, parameters: run, body: { type, arguments: texts, justification: given } },
    ) => {
      const { namespace, workflowId, runId } = run;
      const about = { workflowId, runId, query: type };
      const caller = c.get('caller');
      const decoding = await authorise(c, authority, caller, 'decode', namespace, about);
      const codec = codecOf(c, options, decoding);
      const justification = await requireJustification(c, authority, decoding, about, given);
      const encode =
        texts.length === 0
          ? undefined
          : options.encoder(await authorise(c, authority, caller, 'encode', namespace, about));
      const payloads = argumentPayloads(texts);
      const queries = options.queries(grant);
      const lease = leaseOf(c, false);
      try {
        const record = await beginAudit(c, authority, decoding, { run, query: type, justification });
        try {
          const allowance = authority.rates.kms(c.get('account'));
          const encoded = await chargedTo(allowance, async () =>
            encode?.(payloads, workflowId, new RequestSignal(c, budgetOf(lease))),
          );
          const outcome = await queries.query(
            {
              namespace,
              execution: { workflowId, runId },
              query: { queryType: type, queryArgs: { payloads: encoded?.payloads ?? [] } },
            },
            c.req.raw.signal,
            responseMemory(lease),
          );
          return streamDecoded(c, options, record, (lifetime) =>
            withLease(
              c,
              lease,
              queryFrames({
                codec,
                inspect: inspectFor(c, authority.access, inspect),
                log,
                context: workflowContext({ namespace, workflowId }),
                outcome,
                lifetime,
                record,
              }),
            ),
          );
        } catch (error) {
          if (error instanceof KmsCodecError) record.refused(error.code, keyOf(error));
          await record.end(isResponseClosed(c) ? 'cut_off' : 'failed');
          throw error instanceof KmsCodecError ? httpErrorOf(error) : error;
        }
      } catch (error) {
        lease.end();
        throw error;
      }
    },
  });
}

/** Memory per byte of an argument: its plaintext and its ciphertext. */
const ARGUMENT_COST = 2;

const budgetOf = (lease: MemoryLease) => ({ reserve: (bytes: number) => lease.take(bytes * ARGUMENT_COST) });
