import type { PayloadStub } from '@temporal-kms/codec-api';
import { lazy, type RefCallback, Suspense, useCallback, useState } from 'react';
import { useSessionState } from '../../session/services.tsx';
import { DialogLoading } from '../../ui/overlays/dialog.tsx';
import { KeyBadges } from '../key-badges.tsx';
import { Mask } from '../mask.tsx';
import { isEncrypted, keyBadges, reasonOf, storedBytes } from '../payload-keys.ts';
import { kindOf } from '../payload-kind.ts';
import { useFindings, usePayload } from '../payloads-context.tsx';
import { ReasonNote } from '../reason-note.tsx';
import { RevealControl } from '../reveal-control.tsx';
import { payloadLabel } from '../value/payload-label.ts';
import { useComparison } from './comparison.tsx';
import styles from './payload-block.module.css';
import { PayloadBody } from './payload-body.tsx';
import { type PayloadDialogName, PayloadTools } from './payload-tools.tsx';
import { StoredControl } from './stored-control.tsx';

const PayloadDialog = lazy(async () => ({ default: (await import('./payload-dialog.tsx')).PayloadDialog }));

interface PayloadBlockProps {
  readonly stub: PayloadStub;
  readonly title?: string;
}

/** A whole payload below its name, key and size. The payload is requested when the block comes into view. */
export function PayloadBlock({ stub, title = payloadLabel(stub.path) }: PayloadBlockProps) {
  const [ref, inView] = useInView();
  const [dialog, setDialog] = useState<PayloadDialogName>();
  const view = usePayload(stub.ref, stub, inView || dialog !== undefined);
  const findings = useFindings();
  const renderComparison = useComparison();
  const readable = view.status === 'readable';
  const expired = useSessionState().status === 'expired';
  const hidden = view.status === 'locked' || view.status === 'refused' || expired;
  // When the payload is hidden, its dialog closes, and a later reveal does not reopen it. The dialog stays open while
  // a wider reveal requests the payload again.
  if (hidden && dialog !== undefined) setDialog(undefined);
  return (
    <section ref={ref} className={styles['block']} data-ref={stub.ref}>
      <header className={styles['head']}>
        <h3 className={styles['title']}>{title}</h3>
        <KeyBadges badges={keyBadges([stub], findings)} />
        <span className={styles['kind']}>{kindOf(view, stub)}</span>
        <span className="spacer" />
        <RevealControl refs={[stub.ref]} title={title} />
        {readable && view.value.kind !== 'empty' ? (
          <PayloadTools stub={stub} title={title} onOpen={setDialog} />
        ) : null}
      </header>
      <Content view={view} stub={stub} title={title} />
      <Suspense fallback={<DialogLoading />}>
        {dialog === 'compare' && !hidden ? (
          renderComparison({ stub, title, onClose: () => setDialog(undefined) })
        ) : dialog === 'large' && readable ? (
          <PayloadDialog view={view} stub={stub} title={title} onOpen={setDialog} />
        ) : null}
      </Suspense>
    </section>
  );
}

interface ContentProps {
  readonly view: ReturnType<typeof usePayload>;
  readonly stub: PayloadStub;
  readonly title: string;
}

function Content({ view, stub, title }: ContentProps) {
  const findings = useFindings();
  switch (view.status) {
    case 'readable': {
      const warning = reasonOf(stub, findings);
      return (
        <>
          {warning ? <ReasonNote reason={warning} stub={stub} /> : null}
          <PayloadBody value={view.value} label={title} decrypted={isEncrypted(stub, findings)} />
        </>
      );
    }
    case 'unreadable':
      return <ReasonNote reason={view.reason} stub={stub} detail={view.message} />;
    case 'failed':
      return (
        <p className="t2">
          Not decoded: {view.message}
          {view.forbidden ? ' Ask the operator of the codec server.' : ''}
        </p>
      );
    default:
      return (
        <>
          {view.status === 'stored' ? null : (
            <div className={styles['masked']}>
              <Mask bytes={storedBytes(stub)} state={view.status} sized={false} />
            </div>
          )}
          <StoredControl stub={stub} view={view} />
        </>
      );
  }
}

/** Returns a ref, and whether its element is in view or at most 120 px away. */
function useInView(): [RefCallback<Element>, boolean] {
  const [inView, setInView] = useState(false);
  const ref = useCallback((element: Element | null) => {
    if (!element) return undefined;
    const observer = new IntersectionObserver(
      (entries) => setInView(entries.some((entry) => entry.isIntersecting)),
      { rootMargin: '120px' },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [ref, inView];
}
