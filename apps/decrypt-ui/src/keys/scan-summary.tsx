import { escapeInvisible, type NamespaceKeys } from '@temporal-kms/codec-api';
import { CircleAlert, ScanSearch, Terminal } from 'lucide-react';
import type { ReactNode } from 'react';
import { CopyButton } from '../ui/controls/copy-button.tsx';
import { formatAgo } from '../ui/format/duration.ts';
import { formatCount, plural } from '../ui/format/number.ts';
import { formatMoment } from '../ui/format/time.ts';
import { Notice } from '../ui/page/notice.tsx';
import { useTimeFormat } from '../ui/preferences/preferences.ts';
import { OutcomeChip } from '../ui/text/outcome.tsx';
import { useNow } from '../ui/use-now.ts';
import { keyPlace } from './key-health.ts';
import { findingTexts, placeTexts, type Scanned, scanPlaces, storedElsewhere, storedIn } from './key-scan.ts';
import styles from './keys.module.css';

/** Maximum number of listed gaps, which are things that the scan did not see. */
const MOST = 10;

/** The last scan of stored histories: its date, what it covered, what it found, and what it did not see. */
export function ScanSummary({ keys }: { keys: NamespaceKeys }) {
  const { scan, namespace } = keys;
  switch (scan.status) {
    case 'scanned':
      return <Summary scanned={scan.scanned} listed={keys.keys} />;
    case 'unreadable':
      return (
        <div className={styles['notice']}>
          <Notice severity="warning" icon={<CircleAlert size={14} />} title="The last scan cannot be shown">
            {scan.message}
          </Notice>
        </div>
      );
    default:
      return (
        <NoScan namespace={namespace} started={scan.status === 'not_scanned' ? scan.started : undefined} />
      );
  }
}

function NoScan({ namespace, started }: { namespace: string; started: string | undefined }) {
  const format = useTimeFormat();
  const command = `temporal-kms scan --namespace ${shellWord(namespace)} --out scan.json`;
  return (
    <section className={styles['scan']} aria-labelledby="scan-title">
      <ScanSearch size={16} aria-hidden="true" />
      <div>
        <h2 id="scan-title">
          {started === undefined
            ? 'No scan of stored histories'
            : `The scan of ${formatMoment(Date.parse(started), format)} did not include this namespace`}
        </h2>
        <p className="t2">
          Only a scan finds out which histories still need a key version. Run{' '}
          <code>{escapeInvisible(command)}</code>
          <CopyButton what="command" text={() => command} glyph={<Terminal size={12} />} /> and set{' '}
          <code>SCAN_REPORT_FILE</code> of the codec server to the path of its report.
        </p>
      </div>
    </section>
  );
}

/** Quotes a word for the shell if necessary. */
const shellWord = (word: string) => (/^[\w.-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

function Summary({ scanned, listed }: { scanned: Scanned; listed: NamespaceKeys['keys'] }) {
  const format = useTimeFormat();
  const now = useNow(true, 60_000);
  const { started, finished, complete, findings, gaps } = scanned;
  const at = Date.parse(finished ?? started);
  const elsewhere = storedElsewhere(scanned, listed);
  return (
    <section className={styles['scan']} aria-labelledby="scan-title">
      <ScanSearch size={16} aria-hidden="true" />
      <div>
        <h2 id="scan-title">
          Scan of {formatMoment(at, format)}{' '}
          <OutcomeChip outcome={complete ? 'ok' : 'pending'}>
            {complete ? 'complete' : finished === undefined ? 'ended early' : 'incomplete'}
          </OutcomeChip>
        </h2>
        <p className="t2">
          {formatAgo(at, now)}; it does not include what was written later. It looked at{' '}
          <Coverage scanned={scanned} />.
        </p>
        <Lines title="Also found">
          {[
            ...elsewhere.map(
              ({ name, version, stored }) =>
                `${plural(stored.payloads, 'payload')} in ${histories(stored.histories)} under ${keyPlace(name).short}${
                  version === undefined ? '' : ` v${version}`
                }`,
            ),
            ...findings.map(({ kind, places }) => {
              const { payloads, histories: count } = storedIn([places]);
              return `${plural(payloads, 'payload')} in ${histories(count)} ${findingTexts[kind]}`;
            }),
          ]}
        </Lines>
        <Lines title="Not seen" tone="pending">
          {[
            ...gaps
              .slice(0, MOST)
              .map(({ message, count }) =>
                count === undefined ? message : `${message} (${formatCount(count)})`,
              ),
            ...(gaps.length > MOST ? [`and ${formatCount(gaps.length - MOST)} more: see the report`] : []),
          ]}
        </Lines>
      </div>
    </section>
  );
}

const histories = (count: number) => plural(count, 'history', 'histories');

function Coverage({ scanned: { looked } }: { scanned: Scanned }): ReactNode {
  return scanPlaces
    .map((place) => {
      const { status, histories: count } = looked[place];
      if (status === 'none') return `no ${placeTexts[place]}`;
      return `${formatCount(count)} ${placeTexts[place]}${status === 'partial' ? ' (not all)' : ''}`;
    })
    .join(', ');
}

interface LinesProps {
  readonly title: string;
  readonly tone?: string;
  readonly children: readonly string[];
}

function Lines({ title, tone, children }: LinesProps) {
  if (children.length === 0) return null;
  return (
    <dl className={styles['scanLines']}>
      <dt data-outcome={tone}>{title}</dt>
      <dd>
        <ul>
          {children.map((line) => (
            <li key={line}>{escapeInvisible(line)}</li>
          ))}
        </ul>
      </dd>
    </dl>
  );
}
