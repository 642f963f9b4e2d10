import { expect, it } from 'vitest';
import { FileBranchKeyStore } from '../../src/branch-keys/file-store.ts';
import { GcsBranchKeyStore } from '../../src/branch-keys/gcs-store.ts';
import { parseBranchKeys } from '../../src/branch-keys/setting.ts';

it.each([
  ['none', undefined],
  ['file:/var/lib/keys', FileBranchKeyStore],
  ['file:///var/lib/keys/', FileBranchKeyStore],
  ['gs://bucket-1', GcsBranchKeyStore],
  ['gs://bucket.example.com/a/b_c.d/', GcsBranchKeyStore],
])('opens the store that %s names', (text, type) => {
  const open = parseBranchKeys(text);
  expect(open).toBeTypeOf('function');
  expect(open?.()?.constructor).toBe(type);
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
])('refuses %j', (text) => {
  expect(parseBranchKeys(text)).toBeUndefined();
});
