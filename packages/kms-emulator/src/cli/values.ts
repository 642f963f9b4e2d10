import { InvalidArgumentError } from 'commander';

const secondsPer = { d: 86_400, h: 3600, m: 60, s: 1 } as const;

/** Parses a duration such as `90d`, `24h`, `30m` or `10s`, and returns it in seconds. */
export function parseDuration(value: string): number {
  const [, number, unit] = /^(\d{1,6})([dhms])$/.exec(value) ?? [];
  if (number === undefined || !(unit === 'd' || unit === 'h' || unit === 'm' || unit === 's'))
    throw new InvalidArgumentError('Write a duration as 90d, 24h, 30m or 10s.');
  return Number(number) * secondsPer[unit];
}

export function parsePort(value: string): number {
  const port = Number(value);
  if (!/^\d+$/.test(value) || port > 65_535)
    throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return port;
}
