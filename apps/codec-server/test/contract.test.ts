import { reasonClass, reasonCode } from '@temporal-kms/codec-api';
import { reasonClass as codecClass, reasonCodes } from '@temporal-kms/kms-codec';
import { expect, test } from 'vitest';

test("the API's reason codes are the codec's", () => {
  expect(reasonCode.options.toSorted()).toEqual([...reasonCodes].toSorted());
});

test.each(reasonCodes.filter((code) => reasonClass(code) !== 'information'))(
  '%s is of the same class',
  (code) => {
    expect(reasonClass(code)).toBe(codecClass(code));
  },
);

test('only what is no refusal has a class of its own in the API', () => {
  const information = reasonCodes.filter((code) => reasonClass(code) === 'information');
  expect(information.toSorted()).toEqual(['external_reference', 'not_encrypted']);
});
