import { isLosslessNumber, stringify } from 'lossless-json';

/** A number that a worker has parsed is a plain object, without the methods of `LosslessNumber`. */
const exactNumber = {
  test: isLosslessNumber,
  stringify: (value: unknown) => (isLosslessNumber(value) ? value.value : ''),
};

/** The JSON text of a value. Its numbers keep every digit. */
export const stringifyJson = (value: unknown, indent?: number): string =>
  stringify(value, undefined, indent, [exactNumber]) ?? 'null';
