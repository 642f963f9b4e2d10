import { setTimeout as delay } from 'node:timers/promises';
import type { Meter } from '@opentelemetry/api';
import type { KeyDescription, KeyService } from '@temporal-kms/kms-codec';
import type { Logger } from 'pino';
import { type DescribedKey, describedKeys } from './namespace-keys.ts';

/**
 * Milliseconds between the look-ups of two keys. The pause is shorter if there are too many keys for the
 * interval.
 */
const PAUSE_MS = 1_000;

/**
 * Milliseconds between two look-ups of a key. Each look-up takes two calls. Rotation, disabling and
 * destruction happen over days or weeks.
 */
const INTERVAL_MS = 5 * 60_000;

export interface KeyStatesOptions {
  readonly keys: readonly string[];
  readonly keyService: Pick<KeyService, 'describe'>;
  readonly log: Pick<Logger, 'warn'>;
  /** Milliseconds between two look-ups of a key, plus or minus a tenth. Default: 5 minutes. */
  readonly intervalMs?: number;
}

/** The latest result from Cloud KMS, by key. */
export interface KeyStates {
  readonly latest: ReadonlyMap<string, DescribedKey>;
  /** Stops the look-ups. */
  stop(): void;
}

/**
 * Looks up key version states in Cloud KMS, immediately and then at intervals. Logs only the first of
 * consecutive look-ups of a key that fail for the same reason.
 */
export function watchKeyStates({
  keys,
  keyService,
  log,
  intervalMs = INTERVAL_MS,
}: KeyStatesOptions): KeyStates {
  const described = describedKeys({ keyService, keepMs: 1 });
  const latest = new Map<string, DescribedKey>();
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  const look = async (): Promise<void> => {
    for (const [index, key] of keys.entries()) {
      // Spreads the look-ups, because Cloud KMS has a quota per minute for reads, which its console and other
      // programs share.
      if (index > 0) await delay(Math.min(PAUSE_MS, intervalMs / keys.length), undefined, { ref: false });
      const answer = await described.of(key);
      if (isStopped) return;
      const reason = 'reason' in answer ? answer.reason : undefined;
      const last = latest.get(key);
      const lastReason = last && 'reason' in last ? last.reason : undefined;
      if (reason !== undefined && reason !== lastReason)
        log.warn({ key, reason }, 'key version states unknown');
      latest.set(key, answer);
    }
    // The interval is random, so that servers that start together do not call at the same time.
    timer = setTimeout(() => void look(), intervalMs * (0.9 + Math.random() * 0.2));
    timer.unref();
  };
  void look();
  return {
    latest,
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

const STATES = ['ENABLED', 'DISABLED', 'DESTROY_SCHEDULED', 'DESTROYED'];

/**
 * Adds gauges for the keys. While a key cannot be described, `codec_key_described` is 0 and the key's other
 * gauges are NaN, which satisfies no comparison in an alert. OpenTelemetry never removes a series, so each
 * state of a version has a series with the value 0 or 1.
 */
export function keyStateMetrics(meter: Meter, latest: KeyStates['latest']): void {
  const versionsSeen = new Map<string, Set<number>>();
  const perKey = (name: string, description: string, read: (key: KeyDescription) => number | undefined) =>
    meter.createObservableGauge(name, { description }).addCallback((result) => {
      for (const [key, answer] of latest) result.observe(valueOf(descriptionOf(answer), read), { key });
    });
  const perVersion = (
    name: string,
    description: string,
    read: (version: Version, key: KeyDescription, state: string | undefined) => number | undefined,
    states: readonly (string | undefined)[] = [undefined],
  ) =>
    meter.createObservableGauge(name, { description }).addCallback((result) => {
      for (const [key, answer] of latest) {
        const known = descriptionOf(answer);
        const seen = versionsSeen.get(key) ?? new Set();
        versionsSeen.set(key, seen);
        const versions = new Map(known?.versions.map((one) => [one.version, one]));
        // Versions that were destroyed long ago get no series.
        for (const [version, { state }] of versions) if (state !== 'DESTROYED') seen.add(version);
        for (const version of seen) {
          const one = versions.get(version);
          for (const state of states) {
            const value = valueOf(known, (of) => one && read(one, of, state));
            result.observe(value, { key, version, ...(state !== undefined && { state }) });
          }
        }
      }
    });

  meter
    .createObservableGauge('codec_key_described', { description: '1 if Cloud KMS described the key, else 0' })
    .addCallback((result) => {
      for (const [key, answer] of latest) result.observe(descriptionOf(answer) ? 1 : 0, { key });
    });
  perKey(
    'codec_key_rotation_period_seconds',
    'Rotation period of the key',
    ({ rotationPeriodSeconds }) => rotationPeriodSeconds,
  );
  perVersion(
    'codec_key_version_state',
    '1 for the state that the version has, else 0',
    ({ state }, _, asked) => Number(state === asked),
    STATES,
  );
  perVersion('codec_key_version_primary', '1 for the version that encrypts, else 0', ({ version }, key) =>
    Number(version === key.primary),
  );
  perVersion(
    'codec_key_version_age_seconds',
    'Time since the version was created',
    ({ created }) => created && (Date.now() - created.getTime()) / 1_000,
  );
  perVersion(
    'codec_key_version_destroy_seconds',
    'Time until the version is destroyed',
    ({ state, destroyTime }) =>
      state === 'DESTROY_SCHEDULED' && destroyTime ? (destroyTime.getTime() - Date.now()) / 1_000 : undefined,
  );
}

type Version = KeyDescription['versions'][number];

const descriptionOf = (answer: DescribedKey): KeyDescription | undefined =>
  'description' in answer ? answer.description : undefined;

const valueOf = (
  key: KeyDescription | undefined,
  read: (key: KeyDescription) => number | undefined,
): number => (key && read(key)) ?? Number.NaN;
