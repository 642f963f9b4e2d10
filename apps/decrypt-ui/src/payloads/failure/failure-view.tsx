import type { PayloadRef, PayloadStub } from '@temporal-kms/codec-api';
import {
  failureChain,
  type FailureLevel,
  kindName,
  plaintextFailures,
  rootCause,
} from '@temporal-kms/histories/failures';
import { KeyBadges } from '../key-badges.tsx';
import { PayloadLine } from '../payload-cell.tsx';
import { keyBadges } from '../payload-keys.ts';
import { useFindings, usePayload, useReadPayload } from '../payloads-context.tsx';
import { ReasonNote } from '../reason-note.tsx';
import { RevealControl } from '../reveal-control.tsx';
import { PayloadBlock } from '../view/payload-block.tsx';
import { StoredControl } from '../view/stored-control.tsx';
import styles from './failure-view.module.css';
import { levelText } from './level-text.ts';
import { StackTrace } from './stack-trace-view.tsx';

export interface FailureViewProps {
  /** Proto3 JSON with placeholders instead of payloads. */
  readonly failure: unknown;
  readonly stubs: readonly PayloadStub[];
  readonly title?: string;
  /** Text after the title: `after 5 attempts`. */
  readonly note?: string | undefined;
  /** Whether to scroll to the line of application code that threw the root cause. */
  readonly showCode?: boolean;
}

/** A failure, from the outermost level to the root cause. Shows each level's message, type, stack trace and details. */
export function FailureView({ failure, stubs, title = 'Failure', note, showCode = false }: FailureViewProps) {
  const chain = failureChain(failure);
  const root = rootCause(chain);
  const findings = useFindings();
  const find = (ref: PayloadRef) => stubs.find((stub) => stub.ref === ref);
  const encoded = chain.flatMap((level) => (level.encoded ? (find(level.encoded) ?? []) : []));
  const details = chain.flatMap((level) => level.payloads.flatMap((ref) => find(ref) ?? []));
  return (
    <>
      <section className={styles['failure']}>
        <header className={styles['head']}>
          <h3>{title}</h3>
          <KeyBadges badges={keyBadges(encoded, findings, false, plaintextFailures(failure) > 0)} />
          <span className={styles['note']}>{note}</span>
          <span className="spacer" />
          <RevealControl refs={encoded.map(({ ref }) => ref)} title={title} />
        </header>
        <ol className={styles['chain']}>
          {chain.map((level, index) => (
            <Level
              // oxlint-disable-next-line react/no-array-index-key -- a level is identified by its position
              key={index}
              level={level}
              stub={level.encoded ? find(level.encoded) : undefined}
              root={level === root}
              showCode={showCode}
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
  readonly showCode: boolean;
}

function Level({ level, stub, root, showCode }: LevelProps) {
  const view = usePayload(level.encoded, stub);
  const { message, stackTrace } = levelText(level, view);
  const read = useReadPayload();
  const masked = level.encoded !== undefined && view.status !== 'readable';
  return (
    <li data-root={root ? '' : undefined}>
      {masked ? (
        <p className={styles['message']}>
          <PayloadLine view={view} stub={stub} />
        </p>
      ) : (
        <p className={styles['message']}>{message || 'No message'}</p>
      )}
      <p className={styles['type']}>
        {[
          kindName(level.kind, stackTrace),
          ...level.details,
          ...(level.nonRetryable ? ['not retryable'] : []),
        ].join(' · ')}
      </p>
      {stub ? <StoredControl stub={stub} view={view} /> : null}
      {view.status === 'unreadable' && stub ? (
        <ReasonNote reason={view.reason} stub={stub} detail={view.message} />
      ) : null}
      {stackTrace ? (
        // Only the root cause's stack trace is open at first, because this trace shows the line that threw
        // the failure.
        <StackTrace
          text={stackTrace}
          read={() => (level.encoded === undefined || read(level.encoded) ? stackTrace : undefined)}
          decrypted={level.encoded !== undefined}
          initiallyOpen={root}
          showCode={root && showCode}
        />
      ) : null}
    </li>
  );
}
