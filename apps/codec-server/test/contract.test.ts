import { reasonClass, reasonCode } from '@temporal-kms/codec-api';
import { reasonClass as codecReasonClass, reasonCodes } from '@temporal-kms/kms-codec';
import { describe, expect, it } from 'vitest';

describe('reason codes', () => {
  it('are the same in the API as in the codec', () => {
    expect(reasonCode.options).toEqual(reasonCodes);
  });

  it('have classes that are defined only once, and that the API re-exports', () => {
    expect(reasonClass).toBe(codecReasonClass);
  });

  it('have the class `information` only if the payload is returned', () => {
    const information = reasonCodes.filter((code) => reasonClass(code) === 'information');
    expect(information.toSorted()).toEqual(['external_reference', 'not_encrypted', 'system_envelope']);
  });
});
