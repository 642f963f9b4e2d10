import { reasonClass, reasonCode } from '@temporal-kms/codec-api';
import { reasonClass as codecReasonClass, reasonCodes } from '@temporal-kms/kms-codec';
import { describe, expect, it } from 'vitest';

describe('the API contract', () => {
  it('has the same reason codes as the codec', () => {
    expect(reasonCode.options).toEqual(reasonCodes);
  });

  it('re-exports the codec’s function for the class of a reason code', () => {
    expect(reasonClass).toBe(codecReasonClass);
  });

  it('assigns the class `information` only to reason codes whose payloads are returned as stored', () => {
    const information = reasonCodes.filter((code) => reasonClass(code) === 'information');
    expect(information.toSorted()).toEqual(['external_reference', 'not_encrypted', 'system_envelope']);
  });
});
