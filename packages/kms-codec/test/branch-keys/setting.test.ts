import { expect, it, vi } from 'vitest';
import { FileBranchKeyStore } from '../../src/branch-keys/file-store.ts';
import { GcsBranchKeyStore } from '../../src/branch-keys/gcs-store.ts';
import { parseBranchKeys } from '../../src/branch-keys/setting.ts';

vi.mock(import('../../src/branch-keys/file-store.ts'), { spy: true });
vi.mock(import('../../src/branch-keys/gcs-store.ts'), { spy: true });

it.each([
  ['file:/var/lib/keys', FileBranchKeyStore, '/var/lib/keys'],
  ['file:///var/lib/keys/', FileBranchKeyStore, '/var/lib/keys'],
  ['gs://bucket-1', GcsBranchKeyStore, { bucket: 'bucket-1', prefix: '' }],
  ['gs://bucket-1/folder', GcsBranchKeyStore, { bucket: 'bucket-1', prefix: 'folder' }],
  [
    'gs://bucket.example.com/first/b_c.d/last/',
    GcsBranchKeyStore,
    { bucket: 'bucket.example.com', prefix: 'first/b_c.d/last' },
  ],
])('opens the store that %s names', (text, type, options) => {
  expect(parseBranchKeys(text)?.()).toBeInstanceOf(type);
  expect(type).toHaveBeenLastCalledWith(options);
});

it('opens no store if the setting is none', () => {
  const open = parseBranchKeys('none');
  expect(open).toBeTypeOf('function');
  expect(open?.()).toBeUndefined();
});

it.each([
  '',
  'None',
  'file:',
  'file:relative/path',
  'file:./path',
  'file:/a\0b',
  '/var/lib/keys',
  'gs://',
  'gs://UPPER',
  'gs://a',
  'gs://bucket//double',
  'gs://bucket/../other',
  'gs://bucket/a/./b',
  'gs://bucket/a?b=c',
  'gs://bucket/a b',
  's3://bucket/prefix',
  'https://gs://bucket',
])('refuses %j', (text) => {
  expect(parseBranchKeys(text)).toBeUndefined();
});
