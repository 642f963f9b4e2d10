import { once } from 'node:events';
import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import { checkClock, requireClock } from '../../src/google/clock.ts';
import { afterwards } from '../support/cli.ts';

/** Starts a server that sends the given time in the `Date` header. */
async function serverAt(date: string | undefined): Promise<string> {
  const server = createServer((_, response) => {
    response.sendDate = false;
    if (date !== undefined) response.setHeader('Date', date);
    response.end();
  }).listen(0, '127.0.0.1');
  afterwards(() => server.close());
  await once(server, 'listening');
  const bound = server.address();
  return `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : 0}/`;
}

const now = new Date('2030-01-01T12:00:00Z');
const at = (seconds: number) => new Date(now.getTime() + seconds * 1000).toUTCString();

describe('the clock check', () => {
  it.each([
    [0, 'ok', 'agrees'],
    [-4, 'ok', 'agrees'],
    [60, 'warning', '61 seconds behind'],
    [-3600, 'failed', '60 minutes ahead'],
    [3600, 'failed', 'behind'],
  ])('compares the clock with a server that is %i s ahead: %s', async (seconds, status, text) => {
    const finding = await checkClock(await serverAt(at(seconds)), () => now);
    expect(finding).toMatchObject({ status, text: expect.stringContaining(text) });
    if (status === 'failed') expect(finding.fix).toEqual(['timedatectl set-ntp true']);
  });

  it('warns if the server does not answer, or answers without a time', async () => {
    expect(await checkClock('http://127.0.0.1:1/', () => now)).toMatchObject({ status: 'warning' });
    expect(await checkClock(await serverAt(undefined), () => now)).toMatchObject({ status: 'warning' });
  });

  it('makes a command fail if the clock is minutes off, and only prints a message if it is seconds off', async () => {
    const said: string[] = [];
    const require = async (seconds: number) =>
      await requireClock(
        await serverAt(at(seconds)),
        () => now,
        (text) => said.push(text),
      );
    await require(0);
    expect(said).toEqual([]);
    await require(60);
    expect(said).toEqual([expect.stringContaining('61 seconds behind')]);
    await expect(require(3600)).rejects.toMatchObject({ exit: 'configuration' });
  });

  it('is skipped if keys come from the emulator', async () => {
    expect(await checkClock(undefined, () => now)).toMatchObject({ status: 'skipped' });
  });
});
