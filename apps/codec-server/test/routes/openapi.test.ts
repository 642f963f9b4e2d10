import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import type { ServedStorage } from '../../src/storage/retrieval.ts';
import { download, routes } from '../support/routes.ts';
import { appWith, HOST, type Kms, startKms } from '../support/stack.ts';
import { createStorage } from '../support/storage.ts';

interface Operation {
  readonly path: string;
  readonly method: string;
  readonly operation: any;
}

let kms: Kms;
let document: any;
let operations: readonly Operation[];
beforeAll(async () => {
  kms = await startKms();
  ({ body: document } = await documentOf('', createStorage().storage));
  operations = Object.entries<Record<string, any>>(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
});
afterAll(() => kms.close());

async function documentOf(
  pathPrefix: string,
  storage?: ServedStorage,
): Promise<{ status: number; type: string | null; body: any }> {
  const app = appWith(kms, { pathPrefix, storage });
  const response = await app.request(`${pathPrefix}/api/openapi.json`, { headers: { host: HOST } });
  return { status: response.status, type: response.headers.get('content-type'), body: await response.json() };
}

/** Converts a path from Hono's notation to OpenAPI's. */
const templated = (pattern: string): string =>
  pattern.replace(/:(namespace|workflowId|runId|scheduleId)\b/g, '{$1}').replace('*', '');

const W = '/api/namespaces/{namespace}/workflows';
const FILES = '/api/namespaces/{namespace}/history-files';
const SCHEDULES = '/api/namespaces/{namespace}/schedules';
const RUN = `${W}/{workflowId}/runs/{runId}`;

describe('the served OpenAPI document', () => {
  it('is valid OpenAPI 3.1, as JSON', async () => {
    expect(await documentOf('')).toMatchObject({ status: 200, type: 'application/json' });
    expect(await new Validator().validate(structuredClone(document))).toEqual({ valid: true });
    expect(document.openapi).toMatch(/^3\.1\./);
  });

  // Generated clients use these operation ids and paths.
  it('contains the operations that clients rely on', () => {
    const listed = operations.map(({ path, method, operation }) => {
      const [type] = Object.keys(operation.responses['200'].content);
      return [operation.operationId, method, path, operation['x-permission'] ?? 'public', type];
    });
    expect(listed.toSorted(([a], [b]) => (a < b ? -1 : 1))).toEqual([
      ['countWorkflows', 'GET', `${W}:count`, 'metadata', 'application/json'],
      ['decodeCauses', 'POST', `${W}:decode-causes`, 'decode', 'application/x-ndjson'],
      ['decodeHistoryFile', 'POST', `${FILES}:decode`, 'decode', 'application/x-ndjson'],
      ['decodePayloads', 'POST', `${RUN}/payloads:decode`, 'decode', 'application/x-ndjson'],
      ['decodeProtocol', 'POST', '/decode', 'decode', 'application/json'],
      ['decodeRunFields', 'POST', `${W}:decode-fields`, 'decode', 'application/x-ndjson'],
      [
        'decodeSchedulePayloads',
        'POST',
        `${SCHEDULES}/{scheduleId}/payloads:decode`,
        'decode',
        'application/x-ndjson',
      ],
      ['describeKeys', 'GET', '/api/namespaces/{namespace}/keys', 'metadata', 'application/json'],
      ['describeProgress', 'POST', `${W}:progress`, 'metadata', 'application/json'],
      ['describeSchedule', 'GET', `${SCHEDULES}/{scheduleId}`, 'metadata', 'application/json'],
      ['describeTaskQueues', 'GET', `${RUN}/task-queues`, 'metadata', 'application/json'],
      ['describeWorkflow', 'GET', `${W}/{workflowId}`, 'metadata', 'application/json'],
      ['downloadProtocol', 'POST', '/download', 'decode', 'application/json'],
      ['encodeProtocol', 'POST', '/encode', 'encode', 'application/json'],
      ['exportHistory', 'POST', `${RUN}/history:export`, 'export', 'application/json'],
      ['getHealth', 'GET', '/api/health', 'metadata', 'application/json'],
      ['getMe', 'GET', '/api/me', 'known', 'application/json'],
      ['getOpenApi', 'GET', '/api/openapi.json', 'metadata', 'application/json'],
      ['getSignIn', 'GET', '/api/sign-in', 'public', 'application/json'],
      ['healthz', 'GET', '/healthz', 'public', 'application/json'],
      ['inspectHistoryFile', 'POST', `${FILES}:inspect`, 'metadata', 'application/json'],
      ['listCauses', 'POST', `${W}:causes`, 'metadata', 'application/x-ndjson'],
      ['listNamespaces', 'GET', '/api/namespaces', 'metadata', 'application/json'],
      ['listSchedules', 'GET', SCHEDULES, 'metadata', 'application/json'],
      ['listWorkflowTypes', 'GET', `${W}:types`, 'metadata', 'application/json'],
      ['listWorkflows', 'GET', W, 'metadata', 'application/json'],
      ['queryWorkflow', 'POST', `${RUN}/query`, 'query', 'application/x-ndjson'],
      ['readAudit', 'GET', '/api/namespaces/{namespace}/audit', 'audit', 'application/json'],
      ['readRunFields', 'POST', `${W}:fields`, 'metadata', 'application/x-ndjson'],
      ['readyz', 'GET', '/readyz', 'public', 'application/json'],
      ['searchAudit', 'POST', '/api/namespaces/{namespace}/audit:search', 'audit', 'application/json'],
      ['searchHistory', 'POST', `${RUN}/history:search`, 'search', 'application/x-ndjson'],
      ['searchHistoryFile', 'POST', `${FILES}:search`, 'search', 'application/x-ndjson'],
      ['searchWorkflows', 'POST', `${W}:search`, 'search', 'application/x-ndjson'],
      ['streamHistory', 'GET', `${RUN}/history`, 'metadata', 'application/x-ndjson'],
      ['testKeys', 'POST', '/api/namespaces/{namespace}/keys:test', 'decode', 'application/json'],
      ['verifyAudit', 'GET', '/api/namespaces/{namespace}/audit:verify', 'audit', 'application/json'],
      ['version', 'GET', '/version', 'public', 'application/json'],
    ]);
  });

  test.each([...routes, download])('contains the permission for %s %s', (method, pattern, _, requires) => {
    const { operation } = operations.find(
      (each) => each.method === method && each.path === templated(pattern),
    )!;
    expect(operation['x-permission']).toBe(requires === 'public' ? undefined : requires);
  });

  it('has a unique id for each operation, and contains every path parameter and the target of every $ref', () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { path, operation } of operations) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const described = (operation.parameters ?? [])
        .filter((parameter: any) => parameter.in === 'path')
        .map((parameter: any) => parameter.name);
      expect(described, path).toEqual(named);
    }
    for (const [, name] of JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g))
      expect(document.components.schemas, name).toHaveProperty(name!);
  });

  it('contains only schemas that compile as JSON Schema 2020-12', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema(document, 'api');
    for (const name of Object.keys(document.components.schemas))
      expect(() => ajv.compile({ $ref: `api#/components/schemas/${name}` }), name).not.toThrow();
  });

  it('contains the path prefix as the server URL, so that clients find the routes', async () => {
    const { body } = await documentOf('/codec');
    expect(body.servers).toEqual([{ url: '/codec' }]);
    // Without external storage, the server has no /download.
    const { '/download': _, ...paths } = document.paths;
    expect(body.paths).toEqual(paths);
  });
});
