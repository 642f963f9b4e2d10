import { expect, it } from 'vitest';
import type { Permission, Reveal } from '@temporal-kms/codec-api';
import { justificationFor } from '../../src/http/authorise.ts';
import { onDemandAccess } from '../support/callers.ts';
import { forFile } from '../support/for-file.ts';
import { RUN } from '../support/routes.ts';
import { appWith, post, recordedAudit, startKms } from '../support/stack.ts';

const kms = forFile(await startKms());
const NAMESPACE = '/api/namespaces/payments';
const file = { encoding: 'json', events: ['{"eventId":"1","eventType":"EVENT_TYPE_TIMER_FIRED"}'] };

it.each<[path: string, operation: Permission, body: object]>([
  ['/decode', 'decode', { payloads: [] }],
  [`${RUN}/payloads:decode`, 'decode', { refs: ['1:0'] }],
  [`${RUN}/history:search`, 'search', { text: 'a' }],
  [`${RUN}/history:export`, 'export', { form: 'decoded' }],
  [`${RUN}/history:export`, 'export', { form: 'readable' }],
  [`${NAMESPACE}/workflows:search`, 'search', { text: 'a' }],
  [`${NAMESPACE}/workflows:decode-fields`, 'decode', {}],
  [`${NAMESPACE}/workflows:decode-causes`, 'decode', {}],
  [`${NAMESPACE}/history-files:decode`, 'decode', { ...file, refs: ['1:0'] }],
  [`${NAMESPACE}/history-files:search`, 'search', { ...file, text: 'a' }],
])(
  'requires, on %s, a justification for the permission %s before any call to Temporal, and audits its absence',
  async (path, operation, body) => {
    const { audit, entries } = recordedAudit();
    // The default Temporal service fails every call.
    const response = await post(appWith(kms, { access: onDemandAccess, audit }), path, body);
    expect(response.status).toBe(403);
    const run = path.startsWith(RUN) ? { workflowId: 'w', runId: RUN.split('/').at(-1) } : {};
    const denied = { event: 'denied', denied: 'justification_required', operation, namespace: 'payments' };
    expect(entries).toMatchObject([{ ...denied, ...run }]);
  },
);

const opens = (reveal: Reveal) => ({ reveal: () => reveal });

it('requires no justification if a namespace reveals automatically, but records a given justification', () => {
  expect(justificationFor(opens('automatic'), 'payments', undefined)).toBeUndefined();
  expect(justificationFor(opens('automatic'), 'payments', 'ticket 4711')).toBe('ticket 4711');
});

it('rejects a missing justification if a namespace reveals payloads on demand, and explains how to send one', () => {
  expect(() => justificationFor(opens('on-demand'), 'payments', undefined)).toThrow(
    expect.objectContaining({
      status: 403,
      code: 'justification_required',
      message: expect.stringMatching(/"payments".*X-Reveal-Justification/),
    }),
  );
  expect(justificationFor(opens('on-demand'), 'payments', ' ticket 4711\n')).toBe('ticket 4711');
});

it.each([
  ['empty', ''],
  ['blank', ' \t '],
  ['invisible', '\u200b\u2060\u3164\u{e0041}'],
  ['a combining mark alone', '\u0301'],
  ['longer than 500 characters', 'x'.repeat(501)],
])('rejects a justification that is %s', (_, given) => {
  for (const reveal of ['automatic', 'on-demand'] as const) {
    expect(() => justificationFor(opens(reveal), 'payments', given)).toThrow(
      expect.objectContaining({
        status: 400,
        code: 'bad_request',
        message: expect.stringMatching(/^justification /),
      }),
    );
  }
});

it('accepts a justification of 500 characters', () => {
  expect(justificationFor(opens('on-demand'), 'payments', 'x'.repeat(500))).toHaveLength(500);
});
