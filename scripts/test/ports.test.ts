import { expect, it } from 'vitest';
import { freePorts, isPortTaken } from '../src/ports.ts';

it('freePorts returns different free ports that no outgoing connection can take', async () => {
  const ports = await freePorts(50);
  expect(new Set(ports).size).toBe(50);
  expect(Math.max(...ports)).toBeLessThan(32_768);
  expect(await Promise.all(ports.map(isPortTaken))).not.toContain(true);
});
