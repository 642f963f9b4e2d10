import { escapeInvisible, partsOfRef, type PayloadStub, type StoredContent } from '@temporal-kms/codec-api';
import type { ReactNode } from 'react';
import { KeyBadges } from '../../payloads/key-badges.tsx';
import { isEncrypted, keyBadges, reasonOf } from '../../payloads/payload-keys.ts';
import { useFindings } from '../../payloads/payloads-context.tsx';
import { reasonText } from '../../payloads/reasons.ts';
import { payloadFormats } from '../../payloads/value/payload-formats.ts';
import { payloadLabel } from '../../payloads/value/payload-label.ts';
import { CopyButton } from '../../ui/controls/copy-button.tsx';
import { formatBytes } from '../../ui/format/number.ts';
import { Breakable } from '../../ui/text/breakable.tsx';
import type { RecordedEvent } from '../events/history.ts';
import styles from './panes.module.css';

/**
 * Shows what protects each payload. These facts are known before decryption. Until a payload has been
 * decrypted, the key that its header names is only a claim.
 */
export function CryptoPane({ events }: { events: readonly RecordedEvent[] }) {
  const stubs = events.flatMap((event) => event.payloads);
  if (stubs.length === 0) return <p className={styles['none']}>This event has no payloads.</p>;
  return stubs.map((stub) => <Crypto key={stub.ref} stub={stub} />);
}

function Crypto({ stub }: { stub: PayloadStub }) {
  const findings = useFindings();
  const reason = reasonOf(stub, findings);
  const key = findings.get(stub.ref)?.key ?? stub.key;
  const format = payloadFormats[stub.format];
  return (
    <section className={styles['section']}>
      <header className={styles['head']}>
        <h3>{payloadLabel(stub.path)}</h3>
        <KeyBadges badges={keyBadges([stub], findings)} />
        <span className={styles['note']}>event {partsOfRef(stub.ref).eventId}</span>
      </header>
      <dl className={styles['list']}>
        <Item name="format">{format.name}</Item>
        {stub.encoding ? (
          <Item name="encoding">
            <span className="mono">{escapeInvisible(stub.encoding)}</span>
          </Item>
        ) : null}
        {isEncrypted(stub, findings) ? (
          <Item name="bound">
            {stub.boundToWorkflow ? 'to its namespace and to this workflow id' : format.bound}
          </Item>
        ) : null}
        {key?.name ? (
          <Item name="key">
            <span className="mono">
              <Breakable>{escapeInvisible(key.name)}</Breakable>
            </span>
            <CopyButton what="key name" text={() => key.name ?? ''} />
          </Item>
        ) : null}
        {key?.version === undefined ? (
          isEncrypted(stub, findings) && stub.format !== 'static' ? (
            <Item name="key version">not recorded by this format</Item>
          ) : null
        ) : (
          <Item name="key version">{key.version}</Item>
        )}
        <Item name={stub.stored ? 'size of the reference' : 'size as stored'}>{exactly(stub.bytes)}</Item>
        {stub.stored ? <Stored stored={stub.stored} /> : null}
        <Item name="path">
          <span className="mono">
            <Breakable>{escapeInvisible(stub.path)}</Breakable>
          </span>
        </Item>
        <Item name="reference">
          <span className="mono">{stub.ref}</span>
        </Item>
        {reason ? (
          <Item name="state">
            <span className={styles['reason']} data-outcome={reasonText(reason).tone}>
              {reasonText(reason).title}
            </span>{' '}
            <span className="mono">{reason}</span>
          </Item>
        ) : null}
      </dl>
    </section>
  );
}

/** Where a payload is in external storage, according to its reference. */
function Stored({ stored: { driver, bucket, object, bytes } }: { stored: StoredContent }) {
  return (
    <>
      <Item name="stored in">
        {escapeInvisible(bucket)} (driver {escapeInvisible(driver)})
      </Item>
      <Item name="object">
        <span className="mono">
          <Breakable>{escapeInvisible(object)}</Breakable>
        </span>
        <CopyButton what="object name" text={() => object} />
      </Item>
      <Item name="size of the object">{bytes === undefined ? 'not stated' : exactly(bytes)}</Item>
    </>
  );
}

const exactly = (bytes: number): string =>
  `${formatBytes(bytes)}${bytes >= 1000 ? ` (${bytes.toLocaleString('en-GB')} B)` : ''}`;

function Item({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
