import type { Requirement } from '../../src/http/define-route.ts';

/** The path of a run in a namespace with keys. Each test defines the run's history. */
export const RUN = '/api/namespaces/payments/workflows/w/runs/0b6e0a2c-54e0-4f5a-9d7a-0e9d7ad4a3aa';
type Entry = [
  method: 'GET' | 'POST',
  pattern: string,
  path: string,
  Requirement,
  namespace: string | undefined,
];

/** The route that exists only with external storage. */
export const download: Entry = ['POST', '*/download', '/download', 'decode', 'payments'];

/**
 * Every other route, with the permission that the route requires. A test fails if a new route has no entry
 * here.
 */
export const routes: Entry[] = [
  ['GET', '/api/namespaces', '/api/namespaces', 'metadata', undefined],
  [
    'GET',
    '/api/namespaces/:namespace/workflows',
    '/api/namespaces/payments/workflows',
    'metadata',
    'payments',
  ],
  [
    'GET',
    '/api/namespaces/:namespace/workflows:count',
    '/api/namespaces/payments/workflows:count',
    'metadata',
    'payments',
  ],
  [
    'GET',
    '/api/namespaces/:namespace/workflows:types',
    '/api/namespaces/payments/workflows:types',
    'metadata',
    'payments',
  ],
  [
    'POST',
    '/api/namespaces/:namespace/workflows:progress',
    '/api/namespaces/payments/workflows:progress',
    'metadata',
    'payments',
  ],
  [
    'POST',
    '/api/namespaces/:namespace/workflows:search',
    '/api/namespaces/payments/workflows:search',
    'search',
    'payments',
  ],
  [
    'POST',
    '/api/namespaces/:namespace/workflows:fields',
    '/api/namespaces/payments/workflows:fields',
    'metadata',
    'payments',
  ],
  [
    'POST',
    '/api/namespaces/:namespace/workflows:decode-fields',
    '/api/namespaces/payments/workflows:decode-fields',
    'decode',
    'payments',
  ],
  [
    'POST',
    '/api/namespaces/:namespace/workflows:causes',
    '/api/namespaces/payments/workflows:causes',
    'metadata',
    'payments',
  ],
  [
    'POST',
    '/api/namespaces/:namespace/workflows:decode-causes',
    '/api/namespaces/payments/workflows:decode-causes',
    'decode',
    'payments',
  ],
  [
    'GET',
    '/api/namespaces/:namespace/workflows/:workflowId',
    '/api/namespaces/payments/workflows/w',
    'metadata',
    'payments',
  ],
  [
    'GET',
    '/api/namespaces/:namespace/workflows/:workflowId/runs/:runId/task-queues',
    `${RUN}/task-queues`,
    'metadata',
    'payments',
  ],
  [
    'GET',
    '/api/namespaces/:namespace/workflows/:workflowId/runs/:runId/history',
    `${RUN}/history`,
    'metadata',
    'payments',
  ],
  [
    'POST',
    '/api/namespaces/:namespace/workflows/:workflowId/runs/:runId/payloads:decode',
    `${RUN}/payloads:decode`,
    'decode',
    'payments',
  ],
  [
    'POST',
    '/api/namespaces/:namespace/workflows/:workflowId/runs/:runId/history:search',
    `${RUN}/history:search`,
    'search',
    'payments',
  ],
  [
    'POST',
    '/api/namespaces/:namespace/workflows/:workflowId/runs/:runId/history:export',
    `${RUN}/history:export`,
    'export',
    'payments',
  ],
  [
    'POST',
    '/api/namespaces/:namespace/workflows/:workflowId/runs/:runId/query',
    `${RUN}/query`,
    'query',
    'payments',
  ],
  [
    'GET',
    '/api/namespaces/:namespace/schedules',
    '/api/namespaces/payments/schedules',
    'metadata',
    'payments',
  ],
  [
    'GET',
    '/api/namespaces/:namespace/schedules/:scheduleId',
    '/api/namespaces/payments/schedules/daily',
    'metadata',
    'payments',
  ],
  [
    'POST',
    '/api/namespaces/:namespace/schedules/:scheduleId/payloads:decode',
    '/api/namespaces/payments/schedules/daily/payloads:decode',
    'decode',
    'payments',
  ],
  [
    'POST',
    '/api/namespaces/:namespace/history-files:inspect',
    '/api/namespaces/payments/history-files:inspect',
    'metadata',
    'payments',
  ],
  [
    'POST',
    '/api/namespaces/:namespace/history-files:decode',
    '/api/namespaces/payments/history-files:decode',
    'decode',
    'payments',
  ],
  [
    'POST',
    '/api/namespaces/:namespace/history-files:search',
    '/api/namespaces/payments/history-files:search',
    'search',
    'payments',
  ],
  ['GET', '/api/me', '/api/me', 'known', undefined],
  ['GET', '/api/sign-in', '/api/sign-in', 'public', undefined],
  ['GET', '/api/namespaces/:namespace/keys', '/api/namespaces/payments/keys', 'metadata', 'payments'],
  [
    'POST',
    '/api/namespaces/:namespace/keys:test',
    '/api/namespaces/payments/keys:test',
    'decode',
    'payments',
  ],
  ['GET', '/api/namespaces/:namespace/audit', '/api/namespaces/payments/audit', 'audit', 'payments'],
  [
    'POST',
    '/api/namespaces/:namespace/audit:search',
    '/api/namespaces/payments/audit:search',
    'audit',
    'payments',
  ],
  [
    'GET',
    '/api/namespaces/:namespace/audit:verify',
    '/api/namespaces/payments/audit:verify',
    'audit',
    'payments',
  ],
  ['GET', '/api/health', '/api/health', 'metadata', undefined],
  ['GET', '/api/openapi.json', '/api/openapi.json', 'metadata', undefined],
  ['POST', '*/encode', '/encode', 'encode', 'payments'],
  ['POST', '*/decode', '/decode', 'decode', 'payments'],
];
