import { describe, expect, it } from 'vitest';
import { KmsError } from '../../src/model/errors.ts';
import {
  advanceVersion,
  forceState,
  isUsable,
  restore,
  scheduleDestruction,
  setState,
  versionStates,
  type KeyVersion,
  type VersionState,
} from '../../src/model/key-version.ts';

const NAME = 'the/version';
const NOW = 1_000_000;
const MONTH = 30 * 24 * 3600 * 1000;

function versionIn(state: VersionState): KeyVersion {
  const version: KeyVersion = {
    number: 1,
    algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION',
    protectionLevel: 'SOFTWARE',
    createTime: NOW,
    generateTime: NOW,
    locator: '',
    state: 'ENABLED',
    material: 'AAAA',
  };
  forceState(version, state, NOW, MONTH);
  return version;
}

/** Returns the state after a transition, or the status of its refusal. */
function after(state: VersionState, transition: (version: KeyVersion) => void): string {
  const version = versionIn(state);
  try {
    transition(version);
  } catch (error) {
    if (!(error instanceof KmsError)) throw error;
    expect(version).toEqual(versionIn(state));
    return error.status;
  }
  return version.state;
}

const transitions: Record<string, (version: KeyVersion) => void> = {
  enable: (version) => setState(version, NAME, 'ENABLED', NOW, 0),
  disable: (version) => setState(version, NAME, 'DISABLED', NOW, 0),
  destroy: (version) => scheduleDestruction(version, NAME, NOW, MONTH, 0),
  restore: (version) => restore(version, NAME),
  wait: (version) => {
    advanceVersion(version, NOW + MONTH);
  },
};

const refused = 'FAILED_PRECONDITION';

describe('the version state table', () => {
  it.each<[VersionState, enable: string, disable: string, destroy: string, restored: string, wait: string]>([
    ['ENABLED', 'ENABLED', 'DISABLED', 'DESTROY_SCHEDULED', refused, 'ENABLED'],
    ['DISABLED', 'ENABLED', 'DISABLED', 'DESTROY_SCHEDULED', refused, 'DISABLED'],
    ['DESTROY_SCHEDULED', refused, refused, refused, 'DISABLED', 'DESTROYED'],
    ['DESTROYED', refused, refused, refused, refused, 'DESTROYED'],
    ['PENDING_GENERATION', refused, refused, refused, refused, 'PENDING_GENERATION'],
    ['GENERATION_FAILED', refused, refused, refused, refused, 'GENERATION_FAILED'],
    ['PENDING_IMPORT', refused, refused, refused, refused, 'PENDING_IMPORT'],
    ['IMPORT_FAILED', refused, refused, refused, refused, 'IMPORT_FAILED'],
    ['PENDING_EXTERNAL_DESTRUCTION', refused, refused, refused, refused, 'PENDING_EXTERNAL_DESTRUCTION'],
    ['EXTERNAL_DESTRUCTION_FAILED', refused, refused, refused, refused, 'EXTERNAL_DESTRUCTION_FAILED'],
  ])(
    'permits only Cloud KMS’s transitions from %s, and a refused transition changes nothing',
    (state, ...expected) => {
      const reached = Object.values(transitions).map((transition) => after(state, transition));
      expect(reached).toEqual(expected);
    },
  );

  it('covers every state', () => {
    expect(versionStates).toHaveLength(10);
  });

  it.each(versionStates)('lets only ENABLED versions be used: %s', (state) => {
    expect(isUsable(versionIn(state), NOW)).toBe(state === 'ENABLED');
  });
});

describe('the propagation delay', () => {
  it('does not begin again if a disabled version is scheduled for destruction', () => {
    const version = versionIn('ENABLED');
    setState(version, NAME, 'DISABLED', NOW, 60);
    scheduleDestruction(version, NAME, NOW + 30, MONTH, 60);
    expect([isUsable(version, NOW + 59), isUsable(version, NOW + 60)]).toEqual([true, false]);
  });
});
