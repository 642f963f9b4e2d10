import { describe, expect, it } from 'vitest';
import { kmsCallCodes, mapKmsError, refusedVersion } from '../../src/keys/kms-errors.ts';
import { cryptoKey } from '../support/codec.ts';
import { grpcError } from '../support/scripted-client.ts';

const key = cryptoKey('k');
const FAILED_PRECONDITION = 9;

/** Status codes from https://grpc.io/docs/guides/status-codes/, and the error that each causes. */
const statuses = [
  ['CANCELLED', 1, 'kms_unavailable'],
  ['UNKNOWN', 2, 'kms_unavailable'],
  ['DEADLINE_EXCEEDED', 4, 'kms_unavailable'],
  ['NOT_FOUND', 5, 'key_not_found'],
  ['PERMISSION_DENIED', 7, 'permission_denied'],
  ['RESOURCE_EXHAUSTED', 8, 'kms_quota'],
  ['FAILED_PRECONDITION', 9, 'key_disabled'],
  ['ABORTED', 10, 'kms_unavailable'],
  ['INTERNAL', 13, 'kms_unavailable'],
  ['UNAVAILABLE', 14, 'kms_unavailable'],
  ['UNAUTHENTICATED', 16, 'permission_denied'],
] as const;

/** States from Google's documentation of CryptoKeyVersionState. */
const states = [
  ['DISABLED', 'key_disabled'],
  ['DESTROY_SCHEDULED', 'key_destroy_scheduled'],
  ['DESTROYED', 'key_destroyed'],
  ['PENDING_EXTERNAL_DESTRUCTION', 'key_destroyed'],
  ['EXTERNAL_DESTRUCTION_FAILED', 'key_destroyed'],
  ['PENDING_GENERATION', 'kms_unavailable'],
  ['PENDING_IMPORT', 'key_disabled'],
  ['GENERATION_FAILED', 'key_disabled'],
] as const;

describe('mapKmsError', () => {
  it.each(statuses)('maps the status %s to an error without the text of the status', (_, status, code) => {
    const error = mapKmsError(grpcError(status), 'wrap', key, 2);
    expect(error).toMatchObject({ code, key, keyVersion: 2, cause: { name: 'KmsStatus', grpcCode: status } });
    expect(`${error.message}${error.stack}`).not.toContain('canary');
  });

  it.each([
    ['INVALID_ARGUMENT', 3],
    ['OUT_OF_RANGE', 11],
  ])('maps the status %s to integrity_failed for unwrap, and to key_not_found otherwise', (_, status) => {
    const codeOf = (operation: 'wrap' | 'unwrap' | 'describe') =>
      mapKmsError(grpcError(status), operation, key, undefined).code;
    expect([codeOf('unwrap'), codeOf('wrap'), codeOf('describe')]).toEqual([
      'integrity_failed',
      'key_not_found',
      'key_not_found',
    ]);
  });

  it.each(states)('maps the refusal of a version with the state %s to %s', (state, code) => {
    expect(mapKmsError(grpcError(FAILED_PRECONDITION), 'wrap', key, 2, state)).toMatchObject({ code });
  });

  it('maps an error without a status to kms_unavailable', () => {
    expect(mapKmsError(new TypeError('canary'), 'wrap', key, undefined)).toMatchObject({
      code: 'kms_unavailable',
      cause: { grpcCode: 2 },
    });
  });

  it('returns exactly the codes that the metrics count', () => {
    const codes = [...statuses.map(([, , code]) => code), ...states.map(([, code]) => code)];
    const all = new Set([...codes, 'integrity_failed', 'checksum_mismatch']);
    expect(new Set(kmsCallCodes)).toEqual(all);
  });
});

const violation = (subject: string) => ({ violations: [{ subject }] });

describe('refusedVersion', () => {
  it('returns the version that the details of a FAILED_PRECONDITION name', () => {
    const details = [
      { reason: 'OTHER' },
      violation(key),
      violation(`${key}/cryptoKeyVersions/7/other`),
      violation(`${key}/cryptoKeyVersions/0`),
      violation(`${key}/cryptoKeyVersions/12`),
    ];
    expect(refusedVersion(grpcError(FAILED_PRECONDITION, details))).toBe(12);
  });

  it.each([
    ['has no details', grpcError(FAILED_PRECONDITION)],
    ['names no version', grpcError(FAILED_PRECONDITION, [violation(key)])],
    ['has another status', grpcError(5, [violation(`${key}/cryptoKeyVersions/1`)])],
  ])('returns undefined if the error %s', (_, error) => {
    expect(refusedVersion(error)).toBeUndefined();
  });
});
