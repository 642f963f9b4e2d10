import { expect, it, onTestFinished } from 'vitest';
import { watchKeyStates } from '../../src/observability/key-states.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { forFile } from '../support/for-file.ts';
import { keptLog } from '../support/kept-log.ts';
import { keys, startKms } from '../support/stack.ts';

const missing = keys.payments.replace('payments', 'missing');
const version = `${keys.payments}/cryptoKeyVersions/1`;

const kms = forFile(await startKms());

/** Looks up key states as a server does, but at an interval of 50 ms. */
function followed() {
  const { log, lines } = keptLog();
  const metrics = createMetrics();
  const states = watchKeyStates({
    keys: [keys.payments, missing],
    keyService: kms.codec.keyService,
    log,
    intervalMs: 50,
  });
  onTestFinished(() => states.stop());
  metrics.followKeyStates(states.latest);
  const seriesOf = async (name: string): Promise<string[]> =>
    (await metrics.text()).split('\n').filter((line) => line.startsWith(`${name}{`));
  return { samples: seriesOf, log: lines, states };
}

const number = (line = ''): number => Number(line.split(' ').at(-1));

it('reports each version’s state and age, and which version is primary', async () => {
  const { samples } = followed();
  const inState = async () =>
    (await samples('codec_key_version_state'))
      .filter((line) => line.endsWith(' 1'))
      .map((line) => line.replace(`key="${keys.payments}",`, ''));
  await expect.poll(inState).toEqual(['codec_key_version_state{version="1",state="ENABLED"} 1']);
  expect(await samples('codec_key_version_state')).toHaveLength(4);
  const [age] = await samples('codec_key_version_age_seconds');
  expect(age).toContain(`{key="${keys.payments}",version="1"} `);
  expect(number(age)).toBeGreaterThanOrEqual(0);
  expect((await samples('codec_key_version_primary')).map(number)).toEqual([1]);

  await kms.emulator.setVersionState(version, 'DISABLED');
  await expect.poll(inState).toEqual(['codec_key_version_state{version="1",state="DISABLED"} 1']);
  await kms.emulator.setVersionState(version, 'ENABLED');
});

it('reports the time until a version that is scheduled for destruction is destroyed', async () => {
  const { samples } = followed();
  const left = async () => (await samples('codec_key_version_destroy_seconds')).map(number);
  await expect.poll(left).toEqual([Number.NaN]);
  await kms.emulator.setVersionState(version, 'DESTROY_SCHEDULED');
  await expect.poll(async () => (await left())[0]).toBeGreaterThan(24 * 3_600);
  await kms.emulator.setVersionState(version, 'ENABLED');
  await expect.poll(left).toEqual([Number.NaN]);
});

it('reports no stale values for a key that cannot be described, and logs the failure once', async () => {
  const { samples, log } = followed();
  onTestFinished(() => kms.emulator.clearFaults());
  const known = (payments: 0 | 1) => [
    `codec_key_described{key="${keys.payments}"} ${payments}`,
    `codec_key_described{key="${missing}"} 0`,
  ];
  await expect.poll(() => samples('codec_key_described')).toEqual(known(1));
  kms.emulator.injectFault({ effect: { kind: 'error', status: 'PERMISSION_DENIED' } });
  await expect.poll(() => samples('codec_key_described')).toEqual(known(0));
  expect((await samples('codec_key_version_state')).map(number)).toEqual(Array(4).fill(Number.NaN));
  kms.emulator.clearFaults();
  await expect.poll(() => samples('codec_key_described')).toEqual(known(1));
  const of = (key: string) => log.filter((line) => line.includes(key));
  expect(of(keys.payments)).toHaveLength(1);
  expect(of(keys.payments)[0]).toContain('"reason":"permission_denied"');
  expect(of(missing).length).toBeGreaterThan(0);
});

it('makes no Cloud KMS calls after it is stopped', async () => {
  const { states, samples } = followed();
  await expect.poll(() => samples('codec_key_version_state')).toHaveLength(4);
  states.stop();
  const answers = [...states.latest.values()];
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect([...states.latest.values()]).toEqual(answers);
});
