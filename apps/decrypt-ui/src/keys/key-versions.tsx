import { type ConfiguredKey, escapeInvisible, type NamespaceKeys } from '@temporal-kms/codec-api';
import { CircleAlert, KeyRound, Lock, Terminal } from 'lucide-react';
import { type CSSProperties, Fragment, useState } from 'react';
import { millisOf } from '@temporal-kms/histories/events';
import { explain, remedy } from '../payloads/explain-reason.ts';
import { reasonText } from '../payloads/reasons.ts';
import { Button } from '../ui/controls/button.tsx';
import { CopyButton } from '../ui/controls/copy-button.tsx';
import { formatDurationShort } from '../ui/format/duration.ts';
import { formatCount, plural } from '../ui/format/number.ts';
import { formatDay, formatMoment, formatMomentExact } from '../ui/format/time.ts';
import { Notice } from '../ui/page/notice.tsx';
import { Table } from '../ui/page/table.tsx';
import { useTimeFormat } from '../ui/preferences/preferences.ts';
import { PHONE_BELOW, useNarrowerThan } from '../ui/preferences/window-size.ts';
import { Moment } from '../ui/text/moment.tsx';
import { OutcomeGlyph } from '../ui/text/outcome.tsx';
import { useNow } from '../ui/use-now.ts';
import { attention, keyPlace, type KeyVersion, mainVersions, unusable, versionState } from './key-health.ts';
import { isUnneeded, type Scanned, type Stored, storedUnder } from './key-scan.ts';
import styles from './keys.module.css';

/** Number of versions of a key shown until the user requests all. */
const MOST = 12;

/** Each key's versions with their states and dates, and their use by this process. */
export function KeyVersions({ keys }: { keys: NamespaceKeys }) {
  const phone = useNarrowerThan(PHONE_BELOW);
  const scanned = keys.scan.status === 'scanned' ? keys.scan.scanned : undefined;
  const most = Math.max(
    ...keys.keys.flatMap(({ name, versions }) =>
      versions.map(({ version, seen }) =>
        scanned ? storedUnder(scanned, name, version).payloads : seen.payloads,
      ),
    ),
    1,
  );
  const columns = (scanned ? 7 : 6) + (phone ? 0 : 1);
  return (
    <section className={styles['section']} aria-labelledby="versions-title">
      <h2 id="versions-title" className="sr-only">
        Key versions
      </h2>
      {keys.keys.length === 0 ? (
        <p className={styles['none']}>The configuration names no crypto key for this namespace.</p>
      ) : (
        <Table
          className={styles['table']}
          data-versions=""
          headingId="versions-title"
          columns={[
            'Version',
            'State',
            'Used to',
            'Created',
            ...(scanned ? ['Stored, by the scan'] : []),
            'Used by this process',
            'Last used',
            ...(phone ? [] : [['Attention', styles['rest']] as const]),
          ]}
        >
          {keys.keys.map((key) => (
            <KeyRows
              key={key.name}
              configured={key}
              namespace={keys.namespace}
              {...{ scanned, most, columns }}
            />
          ))}
        </Table>
      )}
    </section>
  );
}

interface KeyRowsProps {
  readonly configured: ConfiguredKey;
  readonly namespace: string;
  /**
   * The scan of the namespace. If the server has no scan, the bars show the process's use of the versions.
   */
  readonly scanned: Scanned | undefined;
  /** The largest number of payloads under one version. This version gets the longest bar. */
  readonly most: number;
  readonly columns: number;
}

function KeyRows({ configured, namespace, scanned, most, columns }: KeyRowsProps) {
  const [all, setAll] = useState(false);
  const { name, versions, unversioned, reason } = configured;
  const shown = all ? versions : mainVersions(versions, MOST);
  const unversionedStored = scanned && storedUnder(scanned, name, undefined);
  return (
    <Fragment>
      <tr data-group="">
        <th scope="rowgroup" colSpan={columns}>
          <KeyHead configured={configured} />
          {reason === undefined ? null : (
            <Notice severity="warning" icon={<CircleAlert size={14} />} title={reasonText(reason).title}>
              {explain(reason, { namespace, workflowId: '', key: { name } })} Only versions that this process
              has used are listed.
            </Notice>
          )}
        </th>
      </tr>
      {shown.map((version) => (
        <VersionRow key={version.version} {...{ version, configured, scanned, most }} />
      ))}
      {unversioned.payloads > 0 || (unversionedStored?.payloads ?? 0) > 0 ? (
        <tr>
          <td className="t3">none</td>
          <td className="t3" colSpan={3}>
            <p className={styles['unversioned']}>formats that record no version; they may need any version</p>
          </td>
          {unversionedStored ? (
            <td>
              <StoredPayloads stored={unversionedStored} most={most} tone="neutral" />
            </td>
          ) : null}
          <td>
            <Used seen={unversioned} most={scanned ? undefined : most} tone="neutral" />
          </td>
          <td colSpan={2}>
            <LastUsed seen={unversioned} />
          </td>
        </tr>
      ) : null}
      {shown.length < versions.length ? (
        <tr>
          <td colSpan={columns}>
            <Button size="small" onClick={() => setAll(true)}>
              Show all {formatCount(versions.length)} versions
            </Button>
          </td>
        </tr>
      ) : null}
    </Fragment>
  );
}

/** A key's name, protection level and rotation. */
function KeyHead({ configured }: { configured: ConfiguredKey }) {
  const format = useTimeFormat();
  const { name, use, protectionLevel, rotationPeriodSeconds, nextRotation } = configured;
  const { short, place } = keyPlace(name);
  const next = millisOf(nextRotation);
  return (
    <span className={styles['keyHead']}>
      <span className="strong">{escapeInvisible(short)}</span>
      <span className="t3">{escapeInvisible(place)}</span>
      {protectionLevel === undefined ? null : <span className="t3">{protectionWords(protectionLevel)}</span>}
      <span className="t3">
        {use === 'decrypt'
          ? 'decrypts only'
          : next === undefined
            ? 'no automatic rotation'
            : `next rotation ${formatMoment(next, format)}${
                rotationPeriodSeconds === undefined
                  ? ''
                  : `, every ${formatDurationShort(rotationPeriodSeconds * 1000)}`
              }`}
      </span>
      <CopyButton what="key name" text={() => name} />
    </span>
  );
}

/** Returns a protection level in words: `Software` for Cloud KMS's `SOFTWARE`; HSM stays in capitals. */
const protectionWords = (level: string) => {
  const words = level.toLowerCase().replaceAll('_', ' ');
  return words.replace('hsm', 'HSM').replace(/^s/, 'S').replace(/^e/, 'E');
};

interface VersionRowProps extends Pick<KeyRowsProps, 'configured' | 'scanned' | 'most'> {
  readonly version: KeyVersion;
}

function VersionRow({ version, configured, scanned, most }: VersionRowProps) {
  const format = useTimeFormat();
  const now = useNow(true, 60_000);
  // A phone shows the advice below the state, so that reading it needs no scrolling.
  const phone = useNarrowerThan(PHONE_BELOW);
  const { text, tone } = versionState(version, format);
  const created = millisOf(version.created);
  const destroyed = millisOf(version.destroyTime);
  const reason = unusable(version);
  const restoreBy =
    destroyed === undefined
      ? undefined
      : `${formatMoment(destroyed, format)}, in ${formatDurationShort(destroyed - now)}`;
  const stored = scanned && storedUnder(scanned, configured.name, version.version);
  const words = [
    attention(version, restoreBy),
    ...(stored && reason && stored.histories > 0
      ? [`${formatCount(stored.histories)} stored histories need it`]
      : []),
    ...(scanned && isUnneeded(scanned, configured.name, version)
      ? ['the scan found no history that needs it', mayDestroy(version)]
      : []),
  ].filter(Boolean);
  const command = reason && remedy(reason, { name: configured.name, version: version.version });
  const Icon = reason === undefined ? KeyRound : Lock;
  const next = (
    <span className={styles['attention']} data-outcome={reason && tone}>
      <span>{words.join('; ')}</span>
      {command === undefined ? null : (
        <CopyButton what="command" text={() => command} glyph={<Terminal size={12} />} look="quiet">
          Copy command
        </CopyButton>
      )}
    </span>
  );
  return (
    <tr data-state={version.state}>
      <td>
        <span className={styles['version']} data-outcome={reason && tone}>
          <Icon size={12} aria-hidden="true" />v{version.version}
        </span>
      </td>
      <td>
        <span className={styles['state']}>
          {tone === 'pending' ? <Lock size={14} data-outcome={tone} /> : <OutcomeGlyph outcome={tone} />}
          {text}
        </span>
        {phone ? next : null}
      </td>
      <td>
        {version.primary && configured.use === 'encrypt_and_decrypt' ? (
          <span className="strong">encrypts</span>
        ) : (
          <span className="t3">decrypts{version.primary ? ', primary' : ''}</span>
        )}
      </td>
      <td>
        {created === undefined ? (
          <span className="t3">–</span>
        ) : (
          <time dateTime={version.created} data-tip={formatMomentExact(created, format)}>
            <span className="t3">{formatDay(created, format)},</span> {formatDurationShort(now - created)} old
          </time>
        )}
      </td>
      {stored ? (
        <td>
          <StoredPayloads stored={stored} most={most} tone={reason && tone} />
        </td>
      ) : null}
      <td>
        <Used seen={version.seen} most={scanned ? undefined : most} tone={reason && tone} />
      </td>
      <td>
        <LastUsed seen={version.seen} />
      </td>
      {phone ? null : <td className={styles['wrapped']}>{next}</td>}
    </tr>
  );
}

/**
 * Only `may-destroy` can decide whether a version may be destroyed, because it checks all namespaces and
 * requires a new scan.
 */
const mayDestroy = ({ version, state }: KeyVersion) =>
  state === 'DESTROYED' ? '' : `run temporal-kms may-destroy ${version} for this key`;

type Seen = KeyVersion['seen'];

interface BarProps {
  readonly count: number;
  /** The count that the longest bar shows. */
  readonly most: number;
  readonly tone: string | undefined;
}

function Bar({ count, most, tone }: BarProps) {
  const style: CSSProperties & Record<'--share', number> = { '--share': count / most };
  return <i data-outcome={tone} style={style} />;
}

/** @param most the count that the longest bar shows; undefined hides the bar */
function Used({ seen, most, tone }: { seen: Seen; most: number | undefined; tone: string | undefined }) {
  if (seen.payloads === 0) return <span className="t3">0</span>;
  return (
    <span className={styles['used']}>
      {most === undefined ? null : <Bar count={seen.payloads} most={most} tone={tone} />}
      {formatCount(seen.payloads)}
    </span>
  );
}

function StoredPayloads({ stored, most, tone }: { stored: Stored; most: number; tone: string | undefined }) {
  const { payloads, histories, active } = stored;
  if (payloads === 0) return <span className="t3">0</span>;
  return (
    <span
      className={styles['used']}
      data-tip={`${plural(payloads, 'payload')} in ${plural(histories, 'history', 'histories')}, ${formatCount(active)} of them open or schedules`}
    >
      <Bar count={payloads} most={most} tone={tone} />
      {formatCount(payloads)}
      <span className="t3">
        in {formatCount(histories)}
        {active > 0 ? `, ${formatCount(active)} open` : ''}
      </span>
    </span>
  );
}

function LastUsed({ seen }: { seen: Seen }) {
  const at = millisOf(seen.lastSeen);
  return at === undefined ? <span className="t3">not here</span> : <Moment at={at} />;
}
