import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tryLock } from '../src/lock.ts';
import { freePorts, isPortTaken } from '../src/ports.ts';
import { devDir } from '../src/project.ts';

it('freePorts returns different free ports that no outgoing connection can take', async () => {
  const ports = await freePorts(50);
  expect(new Set(ports).size).toBe(50);
  expect(Math.max(...ports)).toBeLessThan(32_768);
  expect(await Promise.all(ports.map(isPortTaken))).not.toContain(true);
});

it('freePorts locks its ports, so that other processes do not get them', async () => {
  const [port] = await freePorts(1);
  const lock = join(devDir, 'ports', String(port));
  expect(await tryLock(lock)).toBeUndefined();
});
