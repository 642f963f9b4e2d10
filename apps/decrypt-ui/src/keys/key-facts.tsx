import { escapeInvisible, type NamespaceKeys } from '@temporal-kms/codec-api';
import type { ReactNode } from 'react';
import { reasonText } from '../payloads/reasons.ts';
import { payloadFormats } from '../payloads/value/payload-formats.ts';
import { formatDurationShort } from '../ui/format/duration.ts';
import { formatCount } from '../ui/format/number.ts';
import { formatMoment } from '../ui/format/time.ts';
import { useTimeFormat } from '../ui/preferences/preferences.ts';
import { type KeyTone, lastHour, reasonsOf, worstTone } from './key-health.ts';
import styles from './keys.module.css';

/** The main figures of the server process, each with the time that it covers. */
export function KeyFacts({ keys }: { keys: NamespaceKeys }) {
  const format = useTimeFormat();
  const { done, failed, reasons } = lastHour(keys);
  const { outcomes, inMemory } = keys;
  const since = `since ${formatMoment(Date.parse(keys.since), format)}`;
  const { hit, stale, miss, joined } = outcomes.dataKeys;
  const lookups = hit + stale + miss + joined;
  const failedCalls = Object.values(outcomes.kmsCalls.failed).reduce((sum: number, n) => sum + (n ?? 0), 0);
  const [first] = reasonsOf(reasons);
  return (
    <dl className={styles['strip']} aria-label="This server process">
      <Stat
        name="Payloads, last hour"
        note={done + failed === 0 ? 'none requested' : `${percent(done, done + failed)} readable`}
      >
        {formatCount(done + failed)}
      </Stat>
      <Stat
        name="Unreadable, last hour"
        note={
          first === undefined
            ? 'no failure'
            : first[1] === failed
              ? reasonText(first[0]).title
              : `${reasonText(first[0]).title}: ${formatCount(first[1])}, ${formatCount(failed - first[1])} other`
        }
        tone={failed > 0 ? worstTone(reasons) : undefined}
      >
        {formatCount(failed)}
      </Stat>
      <Stat
        name="Runs without Cloud KMS for"
        note={<InMemory state={inMemory} />}
        tone={inMemory.failure && reasonText(inMemory.failure).tone}
      >
        {inMemory.autonomySeconds === undefined
          ? 'no limit'
          : inMemory.autonomySeconds === 0 && inMemory.failure === undefined
            ? '–'
            : formatDurationShort(inMemory.autonomySeconds * 1000)}
      </Stat>
      <Stat name="Data key cache hits" note={since}>
        {lookups === 0 ? '–' : percent(hit + stale + joined, lookups)}
      </Stat>
      <Stat
        name="Cloud KMS calls"
        note={
          failedCalls === 0 ? (
            since
          ) : (
            <>
              <span data-outcome="pending">{formatCount(failedCalls)} failed</span> {since}
            </>
          )
        }
      >
        {formatCount(outcomes.kmsCalls.total)}
      </Stat>
      <Stat name="Plaintext found" note={since} tone={outcomes.notEncrypted > 0 ? 'pending' : undefined}>
        {formatCount(outcomes.notEncrypted)}
      </Stat>
    </dl>
  );
}

/** Formats a percentage with up to two decimals. Returns 100 % only if the part equals the whole. */
function percent(part: number, whole: number): string {
  const value = (part / whole) * 100;
  const rounded = part < whole ? Math.min(Number(value.toFixed(2)), 99.99) : 100;
  return `${rounded} %`;
}

function InMemory({ state }: { state: NamespaceKeys['inMemory'] }) {
  const { failure, autonomySeconds, oldestKeyAgeSeconds, encryptionKeyAgeSeconds } = state;
  if (failure !== undefined) return `Cloud KMS fails: ${reasonText(failure).title.toLowerCase()}`;
  if (encryptionKeyAgeSeconds !== undefined)
    return `encrypts with a key ${formatDurationShort(encryptionKeyAgeSeconds * 1000)} old`;
  if (autonomySeconds === 0) return 'no encryption key in memory';
  return oldestKeyAgeSeconds === undefined
    ? 'no key in memory yet'
    : `keys confirmed ${formatDurationShort(oldestKeyAgeSeconds * 1000)} ago`;
}

interface StatProps {
  readonly name: string;
  readonly note: ReactNode;
  readonly tone?: KeyTone | undefined;
  readonly children: ReactNode;
}

function Stat({ name, note, tone, children }: StatProps) {
  return (
    <div className={styles['stat']} data-outcome={tone}>
      <dt>{name}</dt>
      <dd>{children}</dd>
      <dd className={styles['statNote']}>{note}</dd>
    </div>
  );
}

const plaintextTexts: Readonly<Record<NamespaceKeys['plaintext'], string>> = {
  pass: 'shown as they are',
  report: 'shown, and counted as not encrypted',
  refuse: 'refused',
};

/** The server's configuration for the namespace. */
export function Configuration({ keys }: { keys: NamespaceKeys }) {
  return (
    <section className={styles['section']} aria-labelledby="configuration-title">
      <header className={styles['sectionHead']}>
        <h2 id="configuration-title">How this server reads payloads</h2>
      </header>
      <dl className={styles['list']}>
        <div>
          <dt>Formats</dt>
          <dd>
            {keys.reads.length === 0 ? (
              'none'
            ) : (
              <ul>
                {keys.reads.map((format) => (
                  <li key={format}>{payloadFormats[format].name}</li>
                ))}
              </ul>
            )}
          </dd>
        </div>
        <div>
          <dt>Not encrypted</dt>
          <dd>{plaintextTexts[keys.plaintext]}</dd>
        </div>
        <div>
          <dt>Static keys</dt>
          <dd className={keys.staticKeys.length > 0 ? 'mono' : undefined}>
            {keys.staticKeys.length > 0
              ? keys.staticKeys.map((id) => escapeInvisible(id)).join(', ')
              : 'none'}
          </dd>
        </div>
      </dl>
    </section>
  );
}
