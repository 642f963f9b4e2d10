import type { Purpose } from './algorithms.ts';
import { invalidArgument } from './errors.ts';

const HOUR = 3600 * 1000;
const MIN_PERIOD = 24 * HOUR;
const MAX_PERIOD = 876_000 * HOUR;

/** The automatic rotation of a key. `period` and `next` are in milliseconds. */
export interface RotationSchedule {
  readonly period?: number;
  readonly next?: number;
}

/**
 * Checks the rules of `CryptoKey.next_rotation_time` and `rotation_period` (resources.proto).
 *
 * @throws KmsError INVALID_ARGUMENT, with the field in the message
 */
export function checkSchedule(purpose: Purpose, { period, next }: RotationSchedule, now: number): void {
  if (period === undefined && next === undefined) return;
  if (purpose !== 'ENCRYPT_DECRYPT') {
    throw invalidArgument(`Automatic rotation is not supported for keys of purpose ${purpose}.`);
  }
  if (period !== undefined && (period < MIN_PERIOD || period > MAX_PERIOD)) {
    throw invalidArgument('The field rotation_period must be at least 24 hours and at most 876,000 hours.');
  }
  if (next === undefined) {
    throw invalidArgument('The field next_rotation_time must be set if rotation_period is set.');
  }
  if (next <= now) throw invalidArgument('The field next_rotation_time must be in the future.');
}
