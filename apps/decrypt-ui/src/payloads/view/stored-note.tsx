import { escapeInvisible, type PayloadStub, type StoredContent } from '@temporal-kms/codec-api';
import { Download, X } from 'lucide-react';
import { useStore } from 'zustand';
import { Button } from '../../ui/controls/button.tsx';
import { CopyButton } from '../../ui/controls/copy-button.tsx';
import { formatBytes } from '../../ui/format/number.ts';
import { announce } from '../../ui/live-region.tsx';
import { Breakable } from '../../ui/text/breakable.tsx';
import { useDecoder } from '../payloads-context.tsx';
import { ReasonIcon } from '../reason-icon.tsx';
import styles from '../reason-note.module.css';

const kinds: Readonly<Record<StoredContent['type'], string>> = {
  s3: 'the S3 bucket',
  gcs: 'the Cloud Storage bucket',
  directory: 'the folder',
};

interface StoredNoteProps {
  readonly stub: PayloadStub;
  readonly stored: StoredContent;
  /** Whether the person has asked to read the object. */
  readonly reading: boolean;
}

/** Says where in external storage a payload is, and reads it when the person asks for it. */
export function StoredNote({ stub, stored, reading }: StoredNoteProps) {
  const decoder = useDecoder();
  const { driver, type, bucket, object, bytes } = stored;
  const received = useStore(decoder.received, (counts) => counts.get(stub.ref));
  const size = bytes === undefined ? '' : `${formatBytes(bytes)} `;
  function read() {
    announce(`Reading ${size}from storage`);
    decoder.read(stub.ref);
  }
  return (
    <div className={styles['note']} data-outcome="neutral" data-stored="">
      <span className={styles['icon']}>
        <ReasonIcon name="elsewhere" size={14} />
      </span>
      <div className={styles['text']}>
        <p>
          <span className={styles['short']}>In external storage</span>{' '}
          <span className={styles['kind']}>{reading ? progressText(received, bytes) : 'not read yet'}</span>
        </p>
        <p className="t2">
          The application stored this payload in {kinds[type]}{' '}
          <code className={styles['name']}>{escapeInvisible(bucket)}</code> (driver{' '}
          <code className={styles['name']}>{escapeInvisible(driver)}</code>).{' '}
          {bytes === undefined
            ? 'The reference states no size.'
            : `Size according to the reference: ${size.trim()}.`}
        </p>
        <p className={styles['code']}>
          <Breakable>{escapeInvisible(object)}</Breakable>{' '}
          <CopyButton what="object name" text={() => object} />
        </p>
        {/* One button for both actions, so that it keeps the focus when its text changes. */}
        <Button
          size="small"
          className={styles['read']}
          onClick={reading ? () => decoder.stopReading(stub.ref) : read}
        >
          {reading ? <X size={12} /> : <Download size={12} />}
          {reading ? 'Stop reading' : `Read ${size}from storage`}
        </Button>
      </div>
    </div>
  );
}

/** Payload bytes per byte of the response, which contains the payload in base64. */
const BASE64 = 3 / 4;

/**
 * Says how much of a payload has arrived.
 *
 * @param received bytes of the response that have arrived; the server sends none before it has read the object
 */
function progressText(received: number | undefined, bytes: number | undefined): string {
  if (received === undefined) return bytes === undefined ? 'reading …' : `reading ${formatBytes(bytes)} …`;
  const arrived = Math.round(received * BASE64);
  // The server decompresses the object, so the response can contain more bytes than the object.
  const of = bytes === undefined || arrived > bytes ? '' : `of ${formatBytes(bytes)} `;
  return `received ${formatBytes(arrived)} ${of}…`;
}
