import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { escapeInvisible, type NamespaceKeys } from '@temporal-kms/codec-api';
import { CircleAlert, FlaskConical, RefreshCw, SearchX } from 'lucide-react';
import { useEffect } from 'react';
import { useMe } from '../session/me.tsx';
import { Forbidden } from '../session/pages/forbidden.tsx';
import { failureCode } from '../session/server/failure.ts';
import { useServices } from '../session/services.tsx';
import { tip } from '../ui/commands/commands.ts';
import { useCommands } from '../ui/commands/registry.ts';
import { Button } from '../ui/controls/button.tsx';
import { formatTicking } from '../ui/format/duration.ts';
import { formatMoment } from '../ui/format/time.ts';
import { Footer } from '../ui/page/footer.tsx';
import { EmptyState, Notice } from '../ui/page/notice.tsx';
import { useTimeFormat } from '../ui/preferences/preferences.ts';
import { OutcomeChip } from '../ui/text/outcome.tsx';
import { useNow } from '../ui/use-now.ts';
import { keysQuery } from './api.ts';
import { Configuration, KeyFacts } from './key-facts.tsx';
import { KeyFailures } from './key-failures.tsx';
import { health } from './key-health.ts';
import { KeyTestResult } from './key-test.tsx';
import { KeyVersions } from './key-versions.tsx';
import styles from './keys.module.css';
import { OutcomeChart } from './outcome-chart.tsx';
import { ScanSummary } from './scan-summary.tsx';
import { type KeyTestState, useKeyTest } from './use-key-test.ts';

const route = getRouteApi('/ns/$namespace/keys');

/** The page about a namespace's keys: their versions and states, how this server uses them, and recent failures. */
export function KeysPage() {
  const { namespace } = route.useParams();
  return <Keys key={namespace} namespace={namespace} />;
}

function Keys({ namespace }: { namespace: string }) {
  const { api } = useServices();
  const { data, error, isFetching, dataUpdatedAt, refetch } = useQuery(keysQuery(api, namespace));
  const test = useKeyTest(namespace);
  const { can } = useMe();

  useEffect(() => {
    document.title = escapeInvisible(`Keys · ${namespace} · temporal-kms`);
  }, [namespace]);
  useCommands({ 'keys.test': can(namespace, 'decode') && !test.running ? test.run : undefined });

  const code = error ? failureCode(error) : undefined;
  const retry = () => void refetch();
  if (code === 'forbidden') return <Forbidden namespace={namespace} what="keys" onRetry={retry} />;
  return (
    <>
      <div className={styles['head']}>
        <h1 className={styles['title']}>Keys</h1>
        {data ? <Health keys={data} /> : null}
        <div className={styles['actions']}>
          {data ? <Updated at={dataUpdatedAt} /> : null}
          <Button
            look="ghost"
            icon
            aria-label="Update"
            data-tip="Update. The page also updates every 15 seconds"
            disabled={isFetching && !data}
            onClick={retry}
          >
            <RefreshCw size={14} />
          </Button>
          <TestButton namespace={namespace} test={test} />
        </div>
      </div>
      <div className={styles['body']}>
        {error && data ? (
          <div className={styles['notice']}>
            <Notice
              severity="error"
              icon={<CircleAlert size={14} />}
              title="The keys could not be updated"
              action={<Button onClick={retry}>Try again</Button>}
            >
              {error.message}
            </Notice>
          </div>
        ) : null}
        {error && !data ? <Failed code={code} message={error.message} onRetry={retry} /> : null}
        {data ? <Content keys={data} test={test} /> : null}
        {!data && !error ? <Loading /> : null}
      </div>
      <Footer
        hints={[
          { commands: ['keys.test'], text: 'test the keys' },
          { commands: ['go.workflows'], text: 'workflows' },
          { commands: ['help'], text: 'all keys' },
        ]}
      >
        {data ? <Scope keys={data} /> : <span>Loading keys</span>}
      </Footer>
    </>
  );
}

function Content({ keys, test }: { keys: NamespaceKeys; test: KeyTestState }) {
  return (
    <>
      <KeyTestResult test={test} />
      <KeyFacts keys={keys} />
      <ScanSummary keys={keys} />
      <KeyVersions keys={keys} />
      <OutcomeChart keys={keys} />
      <div className={styles['two']}>
        <KeyFailures keys={keys} />
        <Configuration keys={keys} />
      </div>
    </>
  );
}

/** Shows which process and time the page's counts cover. */
function Scope({ keys: { scan, since } }: { keys: NamespaceKeys }) {
  const format = useTimeFormat();
  return (
    <span>
      {scan.status === 'scanned' ? 'All other' : 'All'} counts come from the server process that answered,
      since {formatMoment(Date.parse(since), format)}
    </span>
  );
}

function Health({ keys }: { keys: NamespaceKeys }) {
  const { text, tone } = health(keys);
  return <OutcomeChip outcome={tone}>{text}</OutcomeChip>;
}

function Updated({ at }: { at: number }) {
  const age = useNow(true) - at;
  return (
    <span className={styles['updated']}>updated {age < 1000 ? 'just now' : `${formatTicking(age)} ago`}</span>
  );
}

function TestButton({ namespace, test }: { namespace: string; test: KeyTestState }) {
  const { can } = useMe();
  const allowed = can(namespace, 'decode');
  return (
    <Button
      disabled={test.running}
      // The button is not `disabled`, so that people without the permission can read what to ask for.
      aria-disabled={!allowed}
      {...(allowed
        ? tip(
            'keys.test',
            'Encrypt and decrypt random bytes with each key, in Cloud KMS. The audit records the test',
          )
        : { 'data-tip': `Ask for the decode permission in ${escapeInvisible(namespace)} to test the keys` })}
      onClick={() => allowed && test.run()}
    >
      <FlaskConical size={14} />
      {test.running ? 'Testing…' : 'Test the keys'}
    </Button>
  );
}

function Failed({
  code,
  message,
  onRetry,
}: {
  code: string | undefined;
  message: string;
  onRetry: () => void;
}) {
  return (
    <EmptyState
      icon={code === 'not_found' ? <SearchX size={16} /> : <CircleAlert size={16} />}
      title={
        code === 'not_found' ? 'The server has no keys for this namespace' : 'The keys could not be loaded'
      }
      action={<Button onClick={onRetry}>Try again</Button>}
    >
      {message}
    </EmptyState>
  );
}

/** Placeholders that have the height of the content. */
const Loading = () => (
  <div aria-hidden="true" className={styles['loading']}>
    <div className={styles['strip']}>
      {Array.from({ length: 6 }, (_, index) => (
        <div key={index} className={styles['stat']}>
          <i />
          <i />
        </div>
      ))}
    </div>
    {Array.from({ length: 6 }, (_, index) => (
      <div key={index} className={styles['line']}>
        <i style={{ width: `${60 - ((index * 17) % 30)}%` }} />
      </div>
    ))}
  </div>
);
