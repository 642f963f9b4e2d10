import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { history, headers, NAMESPACE, runOf, runPath, type Stack, startStack } from '../support/temporal.ts';

// Compares a real server's responses with the server's OpenAPI document.
let stack: Stack;
let run: { workflowId: string; runId: string };
beforeAll(async () => {
  stack = await startStack();
  const handle = await stack.start('fails', ['a secret'], { memo: { customer: 'x' } });
  await handle.result().catch(() => undefined);
  run = await runOf(handle);
  document = await (await stack.app.request('/api/openapi.json', { headers })).json();
  ajv.addSchema(document, 'api');
});
afterAll(() => stack.close());

let document: any;
const ajv = new Ajv2020({ strict: false, allErrors: true });
// ajv-formats is a CommonJS module. According to the module's types, the function is the member `default` of
// the import.
formats.default(ajv);

function validatorOf(schema: any): ValidateFunction {
  return ajv.compile(schema.$ref === undefined ? schema : { $ref: `api${schema.$ref}` });
}

const W = `/api/namespaces/${NAMESPACE}/workflows`;
const post = (body: unknown): RequestInit => ({ method: 'POST', body: JSON.stringify(body) });
const cases: [name: string, operation: string, path: () => string, init?: () => RequestInit][] = [
  ['namespaces', 'listNamespaces', () => '/api/namespaces'],
  ['a list', 'listWorkflows', () => W],
  ['counts', 'countWorkflows', () => `${W}:count`],
  ['types', 'listWorkflowTypes', () => `${W}:types`],
  ['progress', 'describeProgress', () => `${W}:progress`, () => post({ runs: [run] })],
  ['a description', 'describeWorkflow', () => `${W}/${run.workflowId}`],
  ['task queues', 'describeTaskQueues', () => `${runPath(run)}/task-queues`],
  ['a history', 'streamHistory', () => `${runPath(run)}/history`],
  [
    'payloads',
    'decodePayloads',
    () => `${runPath(run)}/payloads:decode`,
    () => post({ refs: ['1:0', '0:1'] }),
  ],
  ['a search', 'searchHistory', () => `${runPath(run)}/history:search`, () => post({ text: 'secret' })],
  ['fields', 'decodeRunFields', () => `${W}:decode-fields`, () => post({})],
  ...(['encoded', 'decoded', 'readable'] as const).map((form): (typeof cases)[number] => [
    `an export (${form})`,
    'exportHistory',
    () => `${runPath(run)}/history:export`,
    () => post({ form }),
  ]),
  ['keys', 'describeKeys', () => `/api/namespaces/${NAMESPACE}/keys`],
  ['health', 'getHealth', () => '/api/health'],
  ['the document', 'getOpenApi', () => '/api/openapi.json'],
  ['a probe', 'readyz', () => '/readyz'],
  ['encode', 'encodeProtocol', () => '/encode', () => post({ payloads: [{ data: 'MQ==' }] })],
  ['a bad query', 'listWorkflows', () => `${W}?query=nonsense`],
  ['a bad body', 'searchHistory', () => `${runPath(run)}/history:search`, () => post({ text: '' })],
  ['no such run', 'streamHistory', () => `${W}/nobody/runs/${run.runId}/history`],
  ['a bad ref', 'decodePayloads', () => `${runPath(run)}/payloads:decode`, () => post({ refs: ['999:0'] })],
];

test.each(cases)('the response with %s matches the schema for %s', async (_, operationId, path, init) => {
  const operation: any = Object.values<any>(document.paths)
    .flatMap((methods) => Object.values<any>(methods))
    .find((one) => one.operationId === operationId);
  const response = await stack.app.request(path(), {
    headers: { ...headers, 'x-namespace': NAMESPACE },
    ...init?.(),
  });
  const described = operation.responses[response.status];
  expect(described, `status ${response.status}`).toBeDefined();
  const type = response.headers.get('content-type')!.split(';')[0]!;
  expect(Object.keys(described.content)).toContain(type);
  const validate = validatorOf(described.content[type].schema);
  const text = await response.text();
  const values = type === 'application/x-ndjson' ? text.trimEnd().split('\n') : [text];
  for (const value of values) {
    validate(JSON.parse(value));
    expect(validate.errors, value.slice(0, 300)).toBeNull();
  }
});

test('the server accepts a request body if and only if the document permits it', async () => {
  const [event] = await history(stack.app, run);
  const ref = event!.payloads[0]!.ref;
  const bodies: unknown[] = [
    { refs: [ref] },
    { refs: [ref], justification: 'because' },
    { refs: [] },
    { refs: ['x'] },
    { refs: [ref], more: 1 },
    { refs: [ref], justification: 'x'.repeat(501) },
    { refs: Array.from({ length: 201 }, () => ref) },
    [],
    null,
  ];
  const validate = validatorOf({ $ref: '#/components/schemas/DecodeRequest' });
  for (const body of bodies) {
    const response = await stack.app.request(`${runPath(run)}/payloads:decode`, { headers, ...post(body) });
    expect([body, response.status === 200]).toEqual([body, validate(body)]);
    await response.body?.cancel();
  }
});
