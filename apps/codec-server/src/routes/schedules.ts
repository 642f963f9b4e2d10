import { decodeRequest, scheduleDescription, scheduleList, scheduleListQuery } from '@temporal-kms/codec-api';
import { badRequest } from '../errors.ts';
import { decodeFrames } from '../history/decode-stream.ts';
import {
  scheduleDescription as descriptionOf,
  scheduleList as listOf,
  schedulePayloads,
} from '../history/schedule.ts';
import { requireJustification } from '../http/authorise.ts';
import { defineRoute, type Route } from '../http/define-route.ts';
import { leaseOf, replyJsonWithin } from '../http/request-memory.ts';
import { responseMemory } from '../temporal/bounded-responses.ts';
import { hasUnknownStatus } from '../temporal/grpc-errors.ts';
import {
  admitDecryption,
  beginAudit,
  codecOf,
  decodeResponse,
  type RunRoutesOptions,
  streamDecoded,
  withLease,
} from './run-stream.ts';
import { inspectFor } from './workflows.ts';

const SCHEDULES = '/api/namespaces/{namespace}/schedules';
const PAGE_SIZE = 100;

/** Routes that list and describe schedules, and decrypt their payloads. No route changes a schedule. */
export const scheduleRoutes = (options: RunRoutesOptions): readonly Route[] => [
  listSchedules(options),
  describeSchedule(options),
  decodeSchedulePayloads(options),
];

function listSchedules({ temporal }: RunRoutesOptions): Route {
  return defineRoute({
    method: 'get',
    path: SCHEDULES,
    operationId: 'listSchedules',
    summary: 'Lists the schedules of a namespace, in pages',
    requires: 'metadata',
    query: scheduleListQuery,
    response: { description: 'A page', type: 'application/json', schema: scheduleList },
    handler: async (c, { grant, query: { pageToken } }) => {
      const { namespace } = grant;
      const nextPageToken = pageToken === undefined ? undefined : Buffer.from(pageToken, 'base64url');
      return replyJsonWithin(c, async (lease) => {
        const page = await temporal(grant)
          .schedules(
            { namespace, maximumPageSize: PAGE_SIZE, ...(nextPageToken && { nextPageToken }) },
            c.req.raw.signal,
            responseMemory(lease),
          )
          .catch((error: unknown) => {
            if (nextPageToken === undefined || !hasUnknownStatus(error)) throw error;
            throw badRequest("pageToken is invalid; send an earlier page's nextPageToken.", error);
          });
        return listOf(page);
      });
    },
  });
}

function describeSchedule({ temporal, authority, inspect }: RunRoutesOptions): Route {
  return defineRoute({
    method: 'get',
    path: `${SCHEDULES}/{scheduleId}`,
    operationId: 'describeSchedule',
    summary: 'Describes a schedule, with placeholders for payloads',
    requires: 'metadata',
    response: { description: 'The description', type: 'application/json', schema: scheduleDescription },
    handler: async (c, { grant, parameters: { scheduleId } }) => {
      const { namespace } = grant;
      return replyJsonWithin(c, async (lease) => {
        const request = { namespace, scheduleId };
        const description = await temporal(grant).schedule(request, c.req.raw.signal, responseMemory(lease));
        return descriptionOf(description, request, inspectFor(c, authority.access, inspect));
      });
    },
  });
}

function decodeSchedulePayloads(options: RunRoutesOptions): Route {
  const { authority, log } = options;
  return defineRoute({
    method: 'post',
    path: `${SCHEDULES}/{scheduleId}/payloads:decode`,
    operationId: 'decodeSchedulePayloads',
    summary: 'Decrypts payloads of a schedule by their refs, as `decodePayloads` does for a run',
    requires: 'decode',
    body: decodeRequest,
    response: decodeResponse,
    admit: admitDecryption(options),
    handler: async (c, { grant, parameters: { scheduleId }, body: { refs, justification: given } }) => {
      const { namespace } = grant;
      const codec = codecOf(c, options, grant);
      const justification = await requireJustification(c, authority, grant, { scheduleId }, given);
      const lease = leaseOf(c, false);
      try {
        const request = { namespace, scheduleId };
        const description = await options
          .temporal(grant)
          .schedule(request, c.req.raw.signal, responseMemory(lease));
        const requests = await schedulePayloads(description, namespace, refs);
        const record = await beginAudit(c, authority, grant, { run: {}, scheduleId, refs, justification });
        return streamDecoded(c, options, record, (lifetime) =>
          withLease(c, lease, decodeFrames(codec, log, requests, lifetime, record)),
        );
      } catch (error) {
        lease.end();
        throw error;
      }
    },
  });
}
