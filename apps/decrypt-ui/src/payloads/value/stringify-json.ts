import { isLosslessNumber, stringify } from 'lossless-json';

/** Numbers parsed by a worker are plain objects without the methods of `LosslessNumber`. */
const exactNumber = {
  test: isLosslessNumber,
  stringify: (value: unknown) => (isLosslessNumber(value) ? value.value : ''),
};

/** Returns a value's JSON text. Numbers keep every digit. */
export const stringifyJson = (value: unknown, indent?: number): string =>
  stringify(value, undefined, indent, [exactNumber]) ?? 'null';
