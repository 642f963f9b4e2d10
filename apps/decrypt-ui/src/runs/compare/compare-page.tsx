import { getRouteApi } from '@tanstack/react-router';
import { escapeInvisible } from '@temporal-kms/codec-api';
import { GitCompareArrows } from 'lucide-react';
import { type ReactNode, useEffect } from 'react';
import { RevealBar } from '../../payloads/reveal/reveal-bar.tsx';
import type { RunAddress } from '../../session/server/addresses.ts';
import { EmptyState } from '../../ui/page/notice.tsx';
import { RunUnavailable } from '../frame/run-unavailable.tsx';
import { RunProvider, type RunScope, useRunScope } from '../run/run-context.tsx';
import styles from './compare-page.module.css';
import { ComparedRuns } from './compared-runs.tsx';

const route = getRouteApi('/ns/$namespace/workflows/$workflowId/$runId/compare');

/** The page that compares two runs side by side. */
export function ComparePage() {
  const { namespace, workflowId, runId } = route.useParams();
  const { with: otherId = workflowId, run } = route.useSearch();
  const address = { namespace, workflowId, runId };

  useEffect(() => {
    document.title = escapeInvisible(`Compare ${workflowId} · ${namespace} · temporal-kms`);
  }, [workflowId, namespace]);

  if (run === undefined)
    return (
      <EmptyState page icon={<GitCompareArrows size={16} />} title="This address has no second run">
        Open a run and choose Compare.
      </EmptyState>
    );
  const otherAddress = { namespace, workflowId: otherId, runId: run };
  return (
    <div className={styles['page']}>
      <RevealBar run={address} other={otherAddress} />
      <Side address={address}>
        {(left) => (
          <Side address={otherAddress}>{(right) => <ComparedRuns left={left} right={right} />}</Side>
        )}
      </Side>
    </div>
  );
}

interface SideProps {
  readonly address: RunAddress;
  readonly children: (scope: RunScope) => ReactNode;
}

function Side({ address, children }: SideProps) {
  return (
    <RunProvider
      key={JSON.stringify(address)}
      address={address}
      loading={
        <p className={styles['loading']} role="status">
          Loading the runs…
        </p>
      }
      renderFailed={(error, retry) => <RunUnavailable error={error} {...address} onRetry={retry} />}
    >
      <Scoped>{children}</Scoped>
    </RunProvider>
  );
}

function Scoped({ children }: Pick<SideProps, 'children'>) {
  return children(useRunScope());
}
