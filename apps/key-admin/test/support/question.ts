import type { ScanCoverage, ScannedNamespace, ScanReport } from '@temporal-kms/codec-api';
import type { DestroyQuestion } from '../../src/destroy/question.ts';
import type { Statement } from '../../src/destroy/statement.ts';
import { judge } from '../../src/destroy/verdict.ts';
import type { TemporalServer } from '../../src/temporal/server.ts';

/** A Temporal server with one namespace. */
export const SERVER = {
  address: 'temporal.example.com:7233',
  clusterId: 'id-of-the-cluster',
  isListed: true,
  namespaces: [{ name: 'payments', id: 'id-of-payments' }],
} satisfies TemporalServer;

/** Returns the statement of a person who has checked everything. */
export const statementOf = (
  key: string,
  time: string,
  servers: readonly Pick<TemporalServer, 'address' | 'clusterId'>[] = [SERVER],
): Statement => ({
  name: 'Ada',
  time,
  key,
  clusters: servers.map(({ address, clusterId }) => ({
    address,
    ...(clusterId === undefined ? {} : { id: clusterId }),
  })),
  archives: 'none',
  exports: 'none',
  otherUses: 'none',
  copies: 'accepted',
  primaryAgain: 'never',
});

export const KEY = 'projects/acme/locations/us-east1/keyRings/temporal-keys/cryptoKeys/payments';
/**
 * The crypto key's name with a project number. This name refers to the same key if the number belongs to the
 * key's project.
 */
export const NUMBERED = KEY.replace('acme', '123456789012');
export const HOUR = 3_600_000;
export const now = Date.UTC(2030, 0, 31);
export const at = (hoursAgo: number): string => new Date(now - hoursAgo * HOUR).toISOString();
export const read: ScanCoverage = { status: 'complete', histories: 5, read: 5, payloads: 5 };
const none: ScanCoverage = { status: 'none', histories: 0, read: 0, payloads: 0 };

export const namespace = (over: Partial<ScannedNamespace> = {}): ScannedNamespace => ({
  namespace: 'payments',
  id: 'id-of-payments',
  started: at(2),
  finished: at(1),
  complete: true,
  retentionSeconds: 86_400,
  looked: { open: read, closed: read, schedules: read, archived: none, exports: none },
  exports: [],
  keys: [],
  findings: [],
  gaps: [],
  ...over,
});

export const report = (namespaces: ScannedNamespace[], over: Partial<ScanReport> = {}): ScanReport => ({
  version: 1,
  server: { address: SERVER.address, clusterId: SERVER.clusterId },
  started: at(2),
  finished: at(1),
  complete: true,
  cryptoKeys: [
    {
      key: KEY,
      time: at(2),
      primary: 3,
      versions: [
        { version: 1, state: 'ENABLED', created: at(2_000), notPrimarySince: at(100) },
        { version: 2, state: 'ENABLED', created: at(101) },
        { version: 3, state: 'ENABLED', created: at(100) },
      ],
    },
  ],
  namespaces,
  ...over,
});

export const version = (number: number, createdHoursAgo: number, state: any = 'ENABLED') => ({
  version: number,
  state,
  created: new Date(now - createdHoursAgo * HOUR),
  destroyTime: undefined,
});

export const destroyed = (one: ReturnType<typeof version>, hoursAgo: number) => ({
  ...one,
  state: 'DESTROYED' as const,
  destroyTime: new Date(now - hoursAgo * HOUR),
});

export const question = (over: Partial<DestroyQuestion> = {}): DestroyQuestion => ({
  key: KEY,
  version: 1,
  description: {
    key: KEY,
    protectionLevel: 'SOFTWARE',
    primary: 3,
    rotationPeriodSeconds: undefined,
    nextRotation: undefined,
    versions: [version(1, 2_000), version(2, 101), version(3, 100)],
  },
  reports: [report([namespace()])],
  servers: [SERVER],
  statement: statementOf(KEY, at(1)),
  namespaces: ['payments'],
  hasOtherNamespaces: false,
  maxAgeMs: 24 * HOUR,
  now: new Date(now),
  ...over,
});

/** The codes of the reasons why a version may not be destroyed. */
export const codes = (over: Partial<DestroyQuestion>): string[] =>
  judge(question(over)).reasons.map(({ code }) => code);
