import { apiError } from '@temporal-kms/codec-api';
import { expect, it } from 'vitest';
import { ana } from '../support/callers.ts';
import { forFile } from '../support/for-file.ts';
import { appWith, headers, keys, post, startKms } from '../support/stack.ts';

// A default key serves namespaces of any name.
const kms = forFile(await startKms({}, { encrypt: keys.payments }));

it('escapes invisible characters of a name in an error of the history API', async () => {
  const path = `/api/namespaces/${encodeURIComponent('pay\u202e\u200b\u{e0041}ments')}/workflows`;
  const response = await appWith(kms, { access: ana({}) }).request(path, { headers });
  const { error } = apiError.parse(await response.json());
  expect([response.status, error.message]).toEqual([
    403,
    expect.stringContaining('"pay\\u202e\\u200b\\udb40\\udc41ments"'),
  ]);
});

it('escapes invisible characters in an error of a codec endpoint, which the CLI prints, and keeps line breaks', async () => {
  const namespace = { 'x-namespace': 'pay\u00admen\u009bts' };
  const response = await post(appWith(kms, { access: ana({}) }), '/decode', '{"payloads":[]}', namespace);
  const text = await response.text();
  expect([response.status, text]).toEqual([403, expect.stringContaining('"pay\\u00admen\\u009bts"')]);
  expect(text.endsWith('\n')).toBe(true);
});
