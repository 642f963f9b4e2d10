import { type AuditEntry, escapeInvisible } from '@temporal-kms/codec-api';
import { X } from 'lucide-react';
import { type ReactNode, useRef } from 'react';
import { keyPlace, reasonsOf } from '../keys/key-health.ts';
import { tip } from '../ui/commands/commands.ts';
import { useCommands } from '../ui/commands/registry.ts';
import { Button } from '../ui/controls/button.tsx';
import { CopyButton } from '../ui/controls/copy-button.tsx';
import { formatCount, plural } from '../ui/format/number.ts';
import { formatMomentExact } from '../ui/format/time.ts';
import { useTimeFormat } from '../ui/preferences/preferences.ts';
import { Breakable } from '../ui/text/breakable.tsx';
import { OutcomeChip } from '../ui/text/outcome.tsx';
import { type AuditRow, operationTexts, resultOf } from './audit-rows.ts';
import { EntryRun } from './audit-table.tsx';
import styles from './audit.module.css';

/** Maximum number of refs or digests shown; the export contains all. */
const MOST = 20;

/** A pane with everything that the audit contains about an operation. */
export function EntryPane({ row, onClose }: { row: AuditRow; onClose: () => void }) {
  const { entry, outcome, lines } = row;
  const { text, outcome: tone, detail } = resultOf(row);
  const heading = useRef<HTMLHeadingElement>(null);
  useCommands({
    'inspector.focus': () => heading.current?.focus(),
    'inspector.close': () => {
      const back = document.querySelector<HTMLElement>(`[data-key="${CSS.escape(row.id)}"]`);
      onClose();
      back?.focus();
    },
  });
  const digests = lines.flatMap((line) => line.digests ?? []);
  return (
    <aside className={styles['pane']} aria-label="Entry" data-inspector="">
      <header className={styles['paneHead']}>
        <h2 ref={heading} tabIndex={-1} className="ellipsis">
          {operationTexts[entry.operation]}
        </h2>
        <OutcomeChip outcome={tone}>{text}</OutcomeChip>
        <span className="spacer" />
        <CopyButton what="lines as JSON" text={() => lines.map((line) => JSON.stringify(line)).join('\n')} />
        <Button
          look="ghost"
          size="small"
          icon
          aria-label="Close"
          {...tip('inspector.close', 'Close')}
          onClick={onClose}
        >
          <X size={14} />
        </Button>
      </header>
      <div className={styles['paneBody']} role="group" aria-label="Facts of the entry" tabIndex={0}>
        <dl className={styles['facts']}>
          <Fact name="Outcome">{detail}</Fact>
          <Fact name="Person">
            {escapeInvisible(entry.who.name)}
            <Also text={entry.who.subject} before="subject " />
            <Also text={entry.who.issuer} before="issuer " />
          </Fact>
          {entry.from === undefined ? null : <Fact name="Address">{escapeInvisible(entry.from)}</Fact>}
          <Fact name="Namespace">
            {entry.namespace === undefined ? 'several' : escapeInvisible(entry.namespace)}
            <Also text={entry.requestNamespace} before="in a request of " />
          </Fact>
          <Fact name="Workflow">
            <EntryRun row={row} />
            <Also text={entry.runId} before="run " mono />
            {entry.source === 'file' ? (
              <span className={styles['also']}>
                named by the caller’s file, which the server cannot verify
              </span>
            ) : null}
          </Fact>
          {entry.scheduleId === undefined ? null : (
            <Fact name="Schedule">{escapeInvisible(entry.scheduleId)}</Fact>
          )}
          {entry.query === undefined ? null : (
            <Fact name="Query">
              <span className="mono">{escapeInvisible(entry.query)}</span>
            </Fact>
          )}
          {entry.justification === undefined ? null : (
            <Fact name="Justification">{escapeInvisible(entry.justification)}</Fact>
          )}
          {entry.since === undefined ? null : (
            <Fact name="Since">
              <Exact time={entry.since} />
            </Fact>
          )}
          {entry.refs === undefined ? null : <Items name="Asked for" texts={entry.refs} />}
          {outcome === undefined || outcome.keys.length === 0 ? null : (
            <Fact name="Keys">
              {outcome.keys.map(({ name, version, payloads }) => (
                <span key={`${name} ${version}`} className={styles['item']} data-tip={name}>
                  {name === undefined ? 'unknown key' : escapeInvisible(keyPlace(name).short)}{' '}
                  {version === undefined ? null : <span className="tag">v{version}</span>}{' '}
                  <span className="t3">{plural(payloads, 'payload')}</span>
                </span>
              ))}
            </Fact>
          )}
          {outcome === undefined || reasonsOf(outcome.refused).length === 0 ? null : (
            <Fact name="Not readable">
              {reasonsOf(outcome.refused).map(([code, count]) => (
                <span key={code} className={styles['item']}>
                  <span className="mono">{code}</span> <span className="t3">{formatCount(count)}</span>
                </span>
              ))}
            </Fact>
          )}
          {digests.length === 0 ? null : <Items name="Digests" texts={digests} />}
          <Fact name="Id">
            <span className="mono">{entry.id}</span>
          </Fact>
        </dl>
        <h3 className={styles['linesHead']}>Lines in the file</h3>
        <ol className={styles['chainLines']}>
          {lines.toReversed().map((line) => (
            <Line key={`${line.event} ${line.part}`} line={line} />
          ))}
        </ol>
      </div>
    </aside>
  );
}

function Line({ line: { event, part, time, chain } }: { line: AuditEntry }) {
  return (
    <li>
      <span className="strong">
        {event}
        {part === undefined ? '' : ` ${part}`}
      </span>{' '}
      <Exact time={time} />
      {chain === undefined ? (
        <span className={styles['also']}>without a hash chain</span>
      ) : (
        <span className={styles['also']}>
          line {formatCount(chain.seq)} of the chain, after{' '}
          <span className="mono">
            <Breakable>{chain.prev}</Breakable>
          </span>
        </span>
      )}
    </li>
  );
}

function Exact({ time }: { time: string }) {
  const format = useTimeFormat();
  return <time dateTime={time}>{formatMomentExact(Date.parse(time), format)}</time>;
}

const Fact = ({ name, children }: { name: string; children: ReactNode }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
);

const Also = ({ text, before, mono = false }: { text: string | undefined; before: string; mono?: boolean }) =>
  text === undefined ? null : (
    <span className={styles['also']}>
      {before}
      <span className={mono ? 'mono' : undefined}>{escapeInvisible(text)}</span>
    </span>
  );

const Items = ({ name, texts }: { name: string; texts: readonly string[] }) => (
  <Fact name={name}>
    <span className="mono">{texts.slice(0, MOST).join(' ')}</span>
    {texts.length > MOST ? (
      <span className={styles['also']}>and {formatCount(texts.length - MOST)} more</span>
    ) : null}
  </Fact>
);
