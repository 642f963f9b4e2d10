import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openApiDocument } from '../src/openapi/document.ts';
import { routes } from './support/routes.ts';
import { appWith, HOST, type Kms, startKms } from './support/stack.ts';

let kms: Kms;
beforeAll(async () => {
  kms = await startKms();
});
afterAll(() => kms.close());

const document: any = openApiDocument('');
const documented = Object.entries<Record<string, any>>(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);

/** A path as OpenAPI writes it, from one as Hono does. */
const templated = (pattern: string): string =>
  pattern.replace(/:(namespace|workflowId|runId)\b/g, '{$1}').replace('*', '');

test('the document is valid OpenAPI 3.1', async () => {
  expect(await new Validator().validate(structuredClone(document))).toEqual({ valid: true });
  expect(document.openapi).toMatch(/^3\.1\./);
});

test('has every route that the server has, and no other', () => {
  const served = appWith(kms)
    .routes.filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => `${method} ${templated(path)}`);
  const protocol = ['POST /encode', 'POST /decode'];
  expect(documented.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual(
    [...served, ...protocol].toSorted(),
  );
});

test.each(routes)('%s %s names the permission that it takes', (method, pattern, _, needs) => {
  const { operation } = documented.find((one) => one.method === method && one.path === templated(pattern))!;
  expect(operation['x-permission']).toBe(needs === 'public' ? undefined : needs);
});

test('every operation has an id of its own, every path parameter is described, and every ref leads somewhere', () => {
  const ids = documented.map(({ operation }) => operation.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { path, operation } of documented) {
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const described = (operation.parameters ?? [])
      .filter((one: any) => one.in === 'path')
      .map((one: any) => one.name);
    expect(described, path).toEqual(named);
  }
  for (const [, name] of JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g))
    expect(document.components.schemas, name).toHaveProperty(name!);
});

test('every schema compiles as JSON Schema 2020-12', () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(document, 'api');
  for (const name of Object.keys(document.components.schemas))
    expect(() => ajv.compile({ $ref: `api#/components/schemas/${name}` }), name).not.toThrow();
});

async function documentOf(pathPrefix: string): Promise<{ status: number; type: string | null; body: any }> {
  const app = appWith(kms, { pathPrefix });
  const response = await app.request(`${pathPrefix}/api/openapi.json`, { headers: { host: HOST } });
  return { status: response.status, type: response.headers.get('content-type'), body: await response.json() };
}

describe('the served document', () => {
  test('is this one', async () => {
    expect(await documentOf('')).toEqual({ status: 200, type: 'application/json', body: document });
  });

  test('names the prefix as its server, so that a client finds the routes', async () => {
    const { body } = await documentOf('/codec');
    expect(body.servers).toEqual([{ url: '/codec' }]);
    expect(body.paths).toEqual(document.paths);
  });
});
