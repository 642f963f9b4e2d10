import { escapeInvisible, partsOfRef, type PayloadStub, type StoredContent } from '@temporal-kms/codec-api';
import type { ReactNode } from 'react';
import { KeyBadges } from '../../payloads/key-badges.tsx';
import { isEncrypted, keyBadges, reasonOf } from '../../payloads/payload-keys.ts';
import { useFindings } from '../../payloads/payloads-context.tsx';
import { reasonText } from '../../payloads/reasons.ts';
import { payloadFormats } from '../../payloads/value/payload-formats.ts';
import { payloadTitle } from '../../payloads/value/payload-label.ts';
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
  return stubs.map((stub) => <Crypto key={stub.ref} stub={stub} title={payloadTitle(stub, stubs)} />);
}

function Crypto({ stub, title }: { stub: PayloadStub; title: string }) {
  const findings = useFindings();
  const reason = reasonOf(stub, findings);
  const key = findings.get(stub.ref)?.key ?? stub.key;
  const format = payloadFormats[stub.format];
  return (
    <section className={styles['section']}>
      <header className={styles['head']}>
        <h3>{title}</h3>
        <KeyBadges badges={keyBadges([stub], findings)} />
        <span className={styles['note']}>event {partsOfRef(stub.ref).eventId}</span>
      </header>
      <dl className={styles['list']}>
        <Item name="Format">{format.name}</Item>
        {stub.encoding ? (
          <Item name="Encoding">
            <span className="mono">{escapeInvisible(stub.encoding)}</span>
          </Item>
        ) : null}
        {isEncrypted(stub, findings) ? (
          <Item name="Bound">
            {stub.boundToWorkflow ? 'to its namespace and to this workflow id' : format.bound}
          </Item>
        ) : null}
        {key?.name ? (
          <Item name="Key">
            <span className="mono">
              <Breakable>{escapeInvisible(key.name)}</Breakable>
            </span>
            <CopyButton what="key name" text={() => key.name ?? ''} />
          </Item>
        ) : null}
        {key?.version === undefined ? (
          isEncrypted(stub, findings) && stub.format !== 'static' ? (
            <Item name="Key version">not recorded by this format</Item>
          ) : null
        ) : (
          <Item name="Key version">{key.version}</Item>
        )}
        <Item name={stub.stored ? 'Size of the reference' : 'Size as stored'}>{exactly(stub.bytes)}</Item>
        {stub.stored ? <Stored stored={stub.stored} /> : null}
        <Item name="Path">
          <span className="mono">
            <Breakable>{escapeInvisible(stub.path)}</Breakable>
          </span>
        </Item>
        <Item name="Reference">
          <span className="mono">{stub.ref}</span>
        </Item>
        {reason ? (
          <Item name="State">
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

/** A payload's location in external storage, according to its reference. */
function Stored({ stored: { driver, bucket, object, bytes } }: { stored: StoredContent }) {
  return (
    <>
      <Item name="Stored in">
        {escapeInvisible(bucket)} (driver {escapeInvisible(driver)})
      </Item>
      <Item name="Object">
        <span className="mono">
          <Breakable>{escapeInvisible(object)}</Breakable>
        </span>
        <CopyButton what="object name" text={() => object} />
      </Item>
      <Item name="Size of the object">{bytes === undefined ? 'not stated' : exactly(bytes)}</Item>
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
