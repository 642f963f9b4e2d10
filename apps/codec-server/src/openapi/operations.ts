import * as api from '@temporal-kms/codec-api';
import { answers } from './components.ts';
import type { Operation } from './operation.ts';

const WORKFLOWS = '/api/namespaces/{namespace}/workflows';
const RUN = `${WORKFLOWS}/{workflowId}/runs/{runId}`;

/** Every route there is. A test holds the list equal to those that the server has. */
export const operations: readonly Operation[] = [
  {
    method: 'get',
    path: '/api/namespaces',
    operationId: 'listNamespaces',
    summary: 'Namespaces that the caller may read',
    permission: 'metadata',
    answer: { description: 'The namespaces', type: 'application/json', schema: api.namespaceList },
  },
  {
    method: 'get',
    path: WORKFLOWS,
    operationId: 'listWorkflows',
    summary: 'Runs that match a visibility query, the newest first, a page at a time',
    permission: 'metadata',
    query: api.workflowListQuery,
    answer: { description: 'A page', type: 'application/json', schema: api.workflowList },
  },
  {
    method: 'get',
    path: `${WORKFLOWS}:count`,
    operationId: 'countWorkflows',
    summary: 'How many runs match a visibility query, by status',
    permission: 'metadata',
    query: api.workflowCountQuery,
    answer: { description: 'The counts', type: 'application/json', schema: api.workflowCount },
  },
  {
    method: 'get',
    path: `${WORKFLOWS}/{workflowId}`,
    operationId: 'describeWorkflow',
    summary: 'A run with its relations and pending work, payloads replaced by placeholders',
    permission: 'metadata',
    query: api.workflowDescriptionQuery,
    answer: { description: 'The description', type: 'application/json', schema: api.workflowDescription },
  },
  {
    method: 'get',
    path: `${RUN}/history`,
    operationId: 'streamHistory',
    summary: 'Events in order, payloads replaced by placeholders',
    description:
      'Streams pages as they are read, makes no Cloud KMS call, and ends with a line that says why and after which ' +
      'event. A stream without such a line was cut off: ask again with `after`.',
    permission: 'metadata',
    query: api.historyQuery,
    answer: { description: 'Frames', type: 'application/x-ndjson', schema: api.historyFrame },
  },
  {
    method: 'post',
    path: `${RUN}/payloads:decode`,
    operationId: 'decodePayloads',
    summary: 'Payloads by their refs, each opened or with the reason why not',
    description:
      'A message that names another namespace is `namespace_not_permitted` unless the caller has the permission `decode` ' +
      'there too; so it is with `search` and `export` in the other two operations that decrypt.',
    permission: 'decode',
    body: api.decodeRequest,
    answer: {
      description: 'Results in the order in which they are ready, and an end',
      type: 'application/x-ndjson',
      schema: api.decodeFrame,
    },
  },
  {
    method: 'post',
    path: `${RUN}/history:search`,
    operationId: 'searchHistory',
    summary: 'Looks for text in the decrypted payloads of a run',
    description:
      'Streams hits as they are found, each with the place and the matched text, its surroundings masked; then an end. ' +
      'An end of `limit` goes on with `after`.',
    permission: 'search',
    body: api.searchRequest,
    answer: { description: 'Frames', type: 'application/x-ndjson', schema: api.searchFrame },
  },
  {
    method: 'post',
    path: `${RUN}/history:export`,
    operationId: 'exportHistory',
    summary: 'A whole history as one JSON document',
    description:
      'Streams. It is complete if it parses: what was cut off is left unclosed, and where the reader could still be ' +
      'told, its last line is `{"$truncated": {"reason", "after"}}`.',
    permission: 'export',
    body: api.exportRequest,
    answer: { description: 'The history', type: 'application/json', schema: answers.Export },
  },
  {
    method: 'get',
    path: '/api/namespaces/{namespace}/keys',
    operationId: 'describeKeys',
    summary: 'Keys of a namespace, their versions and states, and their use seen by this process',
    description:
      'Makes at most one look-up a key in 30 seconds; what Cloud KMS refuses is a reason beside the key.',
    permission: 'metadata',
    answer: { description: 'The keys', type: 'application/json', schema: api.namespaceKeys },
  },
  {
    method: 'get',
    path: '/api/health',
    operationId: 'getHealth',
    summary: 'Whether plaintext can be had right now',
    permission: 'metadata',
    answer: {
      description: 'What Cloud KMS last answered, and whether Temporal answers',
      type: 'application/json',
      schema: api.cryptoHealth,
    },
  },
  {
    method: 'get',
    path: '/api/namespaces/{namespace}/audit',
    operationId: 'readAudit',
    summary: "A namespace's audit entries, the newest first, a page at a time",
    description:
      'From the file of the replica that answers. 501 where there is none: the message has the query for Cloud Logging.',
    permission: 'audit',
    query: api.auditQuery,
    answer: { description: 'A page', type: 'application/json', schema: api.auditPage },
  },
  {
    method: 'get',
    path: '/api/me',
    operationId: 'getMe',
    summary: 'Who the caller is, and what they may do where',
    permission: 'known',
    answer: { description: 'The caller', type: 'application/json', schema: api.me },
  },
  {
    method: 'get',
    path: '/api/sign-in',
    operationId: 'getSignIn',
    summary: 'How a page gets a token for this server',
    answer: { description: 'The way to sign in', type: 'application/json', schema: api.signIn },
  },
  {
    method: 'get',
    path: '/api/openapi.json',
    operationId: 'getOpenApi',
    summary: 'This document',
    permission: 'metadata',
    answer: { description: 'OpenAPI 3.1', type: 'application/json' },
  },
  ...(['encode', 'decode'] as const).map((operation): Operation => ({
    method: 'post',
    path: `/${operation}`,
    operationId: `${operation}Protocol`,
    summary: `Temporal's codec protocol: ${operation} payloads`,
    description:
      'X-Namespace says which namespace the payloads are of. All payloads come back in their order, or none: a text says why. ' +
      'https://docs.temporal.io/codec-server',
    permission: operation,
    headers: {
      'X-Namespace': { required: true, description: "The payloads' namespace" },
      'X-Reveal-Justification': {
        required: false,
        description: 'Why, for the audit; needed where the namespace opens on demand. 1 to 500 characters',
      },
    },
    body: answers.Payloads,
    answer: {
      description: 'The payloads',
      type: 'application/json',
      schema: answers.Payloads,
    },
    errors: 'text',
  })),
  ...(['healthz', 'readyz'] as const).map((name): Operation => ({
    method: 'get',
    path: `/${name}`,
    operationId: name,
    summary: name === 'healthz' ? 'The process lives' : 'The process takes requests; 503 while it ends',
    answer: { description: 'It does', type: 'application/json', schema: answers.Probe },
  })),
];
