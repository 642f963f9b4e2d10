import type { PayloadStub } from '@temporal-kms/codec-api';
import { ChevronRight } from 'lucide-react';
import { useState } from 'react';
import { CopyButton } from '../../components/copy-button.tsx';
import { KeyBadges } from '../../components/key-badges.tsx';
import { decodedAttributes, failureChain, type FailureLevel, stackFrames } from '../../model/failure.ts';
import { keyBadges } from '../../model/keys.ts';
import { type PayloadView, useFindings, usePayload } from '../../payloads/payloads-context.tsx';
import styles from './failure-view.module.css';
import { LinesView } from './lines-view.tsx';
import { PayloadBlock } from './payload-block.tsx';
import { PayloadLine } from './payload-cell.tsx';
import { ReasonNote } from './reason-note.tsx';

interface FailureViewProps {
  /** In proto3 JSON, payloads as placeholders. */
  readonly failure: unknown;
  readonly stubs: readonly PayloadStub[];
  readonly title?: string;
  /** `after 5 attempts` */
  readonly note?: string | undefined;
}

/** A failure from the outside in: each cause with its type, its message, its stack trace and its details. */
export function FailureView({ failure, stubs, title = 'Failure', note }: FailureViewProps) {
  const chain = failureChain(failure);
  const findings = useFindings();
  const find = (ref: string) => stubs.find((stub) => stub.ref === ref);
  const encoded = chain.flatMap((level) => (level.encoded ? (find(level.encoded) ?? []) : []));
  const details = chain.flatMap((level) => level.payloads.flatMap((ref) => find(ref) ?? []));
  return (
    <>
      <section className={styles['failure']}>
        <header className={styles['head']}>
          <h3>{title}</h3>
          <KeyBadges badges={keyBadges(encoded, findings)} />
          <span className={styles['note']}>{note}</span>
        </header>
        <ol className={styles['chain']}>
          {chain.map((level, index) => (
            <Level
              // oxlint-disable-next-line react/no-array-index-key -- a chain is its order
              key={index}
              level={level}
              stub={level.encoded ? find(level.encoded) : undefined}
              root={index === chain.length - 1}
            />
          ))}
        </ol>
      </section>
      {details.map((stub) => (
        <PayloadBlock key={stub.ref} stub={stub} />
      ))}
    </>
  );
}

interface LevelProps {
  readonly level: FailureLevel;
  readonly stub: PayloadStub | undefined;
  readonly root: boolean;
}

function Level({ level, stub, root }: LevelProps) {
  const view = usePayload(level.encoded, stub);
  const { message, stackTrace } = levelText(level, view);
  const unread = level.encoded !== undefined && view.status !== 'open';
  return (
    <li data-root={root ? '' : undefined}>
      {unread ? (
        <p className={styles['message']}>
          <PayloadLine view={view} stub={stub} />
        </p>
      ) : (
        <p className={styles['message']}>{message || 'No message'}</p>
      )}
      <p className={styles['type']}>
        {[level.kind, ...level.details, ...(level.nonRetryable ? ['not retryable'] : [])].join(' · ')}
      </p>
      {view.status === 'unreadable' && stub ? (
        <ReasonNote reason={view.reason} stub={stub} detail={view.message} />
      ) : null}
      {stackTrace ? <StackTrace text={stackTrace} sealed={level.encoded !== undefined} /> : null}
    </li>
  );
}

export function levelText(level: FailureLevel, view: PayloadView): { message: string; stackTrace: string } {
  if (level.encoded !== undefined && view.status === 'open' && view.value.kind === 'json') {
    return decodedAttributes(view.value.value) ?? level;
  }
  return level;
}

function StackTrace({ text, sealed }: { text: string; sealed: boolean }) {
  const [open, setOpen] = useState(false);
  const lines = text.replace(/\n+$/, '').split('\n');
  const frames = stackFrames(text);
  return (
    <div className={styles['stack']}>
      <div className={styles['stackHead']}>
        <button
          type="button"
          className={styles['disclosure']}
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          <ChevronRight size={12} aria-hidden="true" />
          Stack trace{' '}
          <span className="t3">
            {frames} {frames === 1 ? 'frame' : 'frames'}
          </span>
        </button>
        {open ? <CopyButton what="stack trace" text={() => text} /> : null}
      </div>
      {open ? (
        <LinesView
          count={lines.length}
          label="Stack trace"
          revealed={sealed}
          renderLine={(index) => lines[index]}
        />
      ) : null}
    </div>
  );
}
