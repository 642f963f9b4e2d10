import { readFileSync } from 'node:fs';
import { tableRows } from '@temporal-kms/testing/markdown';
import { reasonCodes as published } from '@temporal-kms/vectors/files';
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { KmsCodecError, reasonClass, reasonCodes, reasons } from '../src/index.ts';
import { codecWith, cryptoKey, inNamespace, json } from './support/codec.ts';

it.each(reasonCodes)(
  'an error with the code %s is non-retryable in Temporal if its code is permanent, even after the worker has converted it',
  (code) => {
    const permanent = reasonClass(code) === 'permanent';
    const error = new KmsCodecError(code, 'why');
    expect(error).toBeInstanceOf(ApplicationFailure);
    expect(error).toMatchObject({ type: `KmsCodecError:${code}`, nonRetryable: permanent });
    // Temporal's worker calls `fromError` with these options for every error from decoding an activity's
    // input.
    const failure = ApplicationFailure.fromError(error, { message: 'Failed to parse', nonRetryable: false });
    expect(failure).toMatchObject({ message: 'Failed to parse', nonRetryable: permanent });
  },
);

const textOf = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const classes = Object.fromEntries(reasonCodes.map((code) => [code, reasonClass(code)]));

//
describe('the reason code table', () => {
  it('matches the list in docs/runbook.md', () => {
    const [, rest = ''] = textOf('../../../docs/runbook.md').split(
      '\n## When a payload cannot be decrypted\n',
    );
    const [section = ''] = rest.split('\n## ');
    let group: string | undefined;
    const listed: (string | undefined)[][] = [];
    for (const [, heading, code, text] of section.matchAll(/^\*\*(\w+)\*\*|^- `(\w+)`: (.+)$/gm))
      if (heading === undefined) listed.push([code, group, text?.replaceAll(/\[([^\]]+)\]\([^)]+\)/g, '$1')]);
      else group = heading;
    expect(listed).toEqual(
      Object.entries(reasons).map(([code, reason]) => [
        code,
        reason.class,
        `${reason.meaning} ${reason.remedy}`,
      ]),
    );
  });

  it('matches the classes in docs/wire-formats.md', () => {
    const listed = tableRows(textOf('../../../docs/wire-formats.md'), 'class', 'codes').flatMap(
      ([group, codes]) => codes!.match(/\w+/g)!.map((code) => [code, group!.match(/\w+/)![0]]),
    );
    expect(Object.fromEntries(listed)).toEqual(classes);
  });

  it('matches the table in the test vectors', () => {
    const refused = reasonCodes.filter((code) => reasons[code].refused !== undefined);
    expect({ class: classes, keyRefused: refused }).toEqual(published);
  });

  it('matches the alerts for refused payloads, which include every code except the retryable codes', () => {
    const alerts = textOf('../../../deploy/helm/temporal-kms/alerts.yaml');
    const codesOf = (operator: string) =>
      new RegExp(`payloads_refused_total\\{code${operator}"([a-z_|]+)"`).exec(alerts)![1]!.split('|');
    const temporary = reasonCodes.filter((code) => reasonClass(code) === 'retryable');
    const attacks = codesOf('=~');
    expect(attacks.filter((code) => temporary.some((one) => one === code))).toEqual([]);
    expect(codesOf('!~').toSorted()).toEqual([...attacks, ...temporary].toSorted());
  });
});

it('gives each caller of the codec a separate error object', async () => {
  const { codec, keyService } = codecWith({ a: { encrypt: cryptoKey('a') } });
  const encrypted = await codec.encode([json('here')], inNamespace('a'));
  const reader = codecWith({ a: { encrypt: cryptoKey('a') } }, { keyService }).codec;
  keyService.failing = 'key_disabled';
  const refusal = () => reader.decode(encrypted, inNamespace('a')).catch((error: unknown) => error);
  const [first, joined] = await Promise.all([refusal(), refusal()]);
  Object.assign(Object(first), { message: 'overwritten' });
  for (const other of [joined, await refusal()]) {
    expect(other).toMatchObject({ code: 'key_disabled', key: cryptoKey('a'), message: 'failed on demand' });
  }
});
