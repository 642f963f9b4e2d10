import type { PayloadStub } from '@temporal-kms/codec-api';
import { CopyButton } from '../../components/copy-button.tsx';
import { KeyBadges } from '../../components/key-badges.tsx';
import { Mask } from '../../components/mask.tsx';
import { useInView } from '../../components/use-in-view.ts';
import { formatBytes } from '../../model/format/number.ts';
import { isSealed, keyBadges, reasonOf } from '../../model/keys.ts';
import { payloadLabel } from '../../model/payload-label.ts';
import { copyText, encodingOf } from '../../model/payload-value.ts';
import { type PayloadView, useFindings, usePayload } from '../../payloads/payloads-context.tsx';
import styles from './payload-block.module.css';
import { PayloadBody } from './payload-body.tsx';
import { ReasonNote } from './reason-note.tsx';

interface PayloadBlockProps {
  readonly stub: PayloadStub;
  readonly title?: string;
}

/** A payload with its name, key and size, and in full below; it is asked for when it comes into view. */
export function PayloadBlock({ stub, title = payloadLabel(stub.path) }: PayloadBlockProps) {
  const [ref, inView] = useInView();
  const view = usePayload(stub.ref, stub, inView);
  const findings = useFindings();
  const sealed = isSealed(stub);
  return (
    <section ref={ref} className={styles['block']} data-ref={stub.ref}>
      <header className={styles['head']}>
        <h3 className={styles['title']}>{title}</h3>
        <KeyBadges badges={keyBadges([stub], findings)} />
        <span className={styles['kind']}>{kindOf(view, stub)}</span>
        <span className="spacer" />
        {view.status === 'open' && view.value.kind !== 'empty' ? (
          <CopyButton what={title.toLowerCase()} text={() => copyText(view.value)} />
        ) : null}
      </header>
      <Content view={view} stub={stub} title={title} sealed={sealed} />
    </section>
  );
}

function Content({
  view,
  stub,
  title,
  sealed,
}: PayloadBlockProps & { view: PayloadView; title: string; sealed: boolean }) {
  const findings = useFindings();
  switch (view.status) {
    case 'open': {
      const warning = reasonOf(stub, findings);
      return (
        <>
          {warning ? <ReasonNote reason={warning} stub={stub} /> : null}
          <PayloadBody value={view.value} label={title} revealed={sealed} />
        </>
      );
    }
    case 'unreadable':
      return <ReasonNote reason={view.reason} stub={stub} detail={view.message} />;
    case 'unasked':
      return <p className="t2">Not read: {view.message}</p>;
    default:
      return (
        <div className={styles['masked']}>
          <Mask bytes={stub.bytes} />
        </div>
      );
  }
}

/** `json, 362 B`: the plaintext's encoding once it is open; the size as stored. */
function kindOf(view: PayloadView, stub: PayloadStub): string {
  const size = formatBytes(stub.bytes);
  if (view.status !== 'open') return size;
  const encoding = encodingOf(view.payload);
  const short = encoding === 'json/plain' ? 'json' : encoding === 'binary/plain' ? 'bytes' : encoding;
  const type = view.value.kind === 'json' || view.value.kind === 'bytes' ? view.value.messageType : undefined;
  return [type ?? short, size].filter(Boolean).join(', ');
}
