import { reasonClass, reasonCode } from '@temporal-kms/codec-api';
import { reasonClass as codecReasonClass, reasonCodes } from '@temporal-kms/kms-codec';
import { describe, expect, it } from 'vitest';

describe('reason codes', () => {
  it('are the same in the API as in the codec', () => {
    expect(reasonCode.options).toEqual(reasonCodes);
  });

  it('have their classes defined only once, and re-exported by the API', () => {
    expect(reasonClass).toBe(codecReasonClass);
  });

  it('have the class `information` only if the payload is returned', () => {
    const information = reasonCodes.filter((code) => reasonClass(code) === 'information');
    expect(information.toSorted()).toEqual(['external_reference', 'not_encrypted', 'system_envelope']);
  });
});
