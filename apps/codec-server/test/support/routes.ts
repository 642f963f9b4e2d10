import type { Requirement } from '../../src/http/define-route.ts';

/** The path of a run in a namespace with keys. The test defines its history. */
export const RUN = '/api/namespaces/payments/workflows/w/runs/0b6e0a2c-54e0-4f5a-9d7a-0e9d7ad4a3aa';
/** Every route, and what it takes. A route that is added without its line here fails the last test. */
export const routes: [
  method: 'GET' | 'POST',
  pattern: string,
  path: string,
  Requirement,
  namespace: string | undefined,
][] = [
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
    'POST',
    '/api/namespaces/:namespace/workflows:search',
    '/api/namespaces/payments/workflows:search',
    'search',
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
  ['GET', '/api/health', '/api/health', 'metadata', undefined],
  ['GET', '/api/openapi.json', '/api/openapi.json', 'metadata', undefined],
  ['POST', '*/encode', '/encode', 'encode', 'payments'],
  ['POST', '*/decode', '/decode', 'decode', 'payments'],
];
