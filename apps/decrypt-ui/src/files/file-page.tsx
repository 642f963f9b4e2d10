import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { escapeInvisible } from '@temporal-kms/codec-api';
import { HistoryFileError, type HistoryFileProblem } from '@temporal-kms/histories/files';
import { FileClock, FileWarning, FileX } from 'lucide-react';
import { useCallback, useEffect } from 'react';
import { useStore } from 'zustand';
import { RevealBar } from '../payloads/reveal/reveal-bar.tsx';
import { usePlaintext, useReveals } from '../payloads/reveal/reveals-context.tsx';
import { RunSkeleton } from '../runs/frame/run-skeleton.tsx';
import { openHistoryPort } from '../runs/indexer/history-client.ts';
import { RunContent } from '../runs/page/run-page.tsx';
import type { WorkflowSearch } from '../runs/run-params.ts';
import { FileRunProvider } from '../runs/run/run-context.tsx';
import { Forbidden } from '../session/pages/forbidden.tsx';
import { failureCode } from '../session/server/failure.ts';
import { useServices } from '../session/services.tsx';
import { runCommand } from '../ui/commands/registry.ts';
import { Button } from '../ui/controls/button.tsx';
import { StatePage } from '../ui/page/state-page.tsx';
import { createFilesApi } from './api.ts';
import { FileHeader } from './file-header.tsx';
import { FileRuns } from './file-runs.tsx';
import { createFileSession } from './file-session.ts';
import type { OpenedFile } from './history-file.ts';
import { useHistoryFiles } from './use-history-files.ts';

const route = getRouteApi('/ns/$namespace/file');

/**
 * The page for a history file. Shows the file's run, the choice between several runs, or why the file cannot be
 * read.
 */
export function FilePage() {
  const { namespace } = route.useParams();
  const { status, name, file, run, failure } = useStore(useHistoryFiles().store);

  useEffect(() => {
    document.title = escapeInvisible(`History file · ${namespace} · temporal-kms`);
  }, [namespace]);

  if (status === 'opening') {
    return (
      <StatePage
        icon={<FileClock size={18} />}
        title="Reading the file"
        facts={[['File', escapeInvisible(name)]]}
      >
        <p>
          Your browser finds the events in the file, and sends them to the codec server when you view them.
        </p>
      </StatePage>
    );
  }
  if (status === 'failed') return <Unreadable name={name} failure={failure} />;
  if (file === undefined) return <NoFile namespace={namespace} />;
  return run === undefined ? (
    <FileRuns file={file} />
  ) : (
    <FileRun namespace={namespace} file={file} run={run} />
  );
}

const chooseFile = (
  <Button look="primary" onClick={() => runCommand('file.open')}>
    Choose a file
  </Button>
);

function NoFile({ namespace }: { namespace: string }) {
  return (
    <StatePage icon={<FileClock size={18} />} title="No history file is open" actions={chooseFile}>
      <p>
        Drop a file anywhere on this page, or choose one: the JSON of <code>temporal workflow show</code>, a
        download of Temporal’s Web UI, an export of this dashboard, or a file of Temporal Cloud’s Workflow
        History Export. The codec server decrypts its payloads in {escapeInvisible(namespace)}.
      </p>
      <p>The page keeps a file in memory only, so a reload closes it.</p>
    </StatePage>
  );
}

const titles: Readonly<Record<HistoryFileProblem, string>> = {
  empty: 'The file is empty',
  too_large: 'The file is too large',
  compressed: 'The file is compressed',
  not_a_history: 'The file is not a workflow history',
  cut_off: 'The file is not complete',
  malformed: 'The file is damaged',
  gap: 'The history in the file is not complete',
};

function Unreadable({ name, failure }: { name: string; failure: Error | undefined }) {
  const title = failure instanceof HistoryFileError ? titles[failure.code] : 'The file could not be read';
  return (
    <StatePage
      icon={<FileX size={18} />}
      title={title}
      facts={[['File', escapeInvisible(name)]]}
      actions={chooseFile}
    >
      <p role="alert">{failure?.message}</p>
    </StatePage>
  );
}

function FileRun({ namespace, file, run }: { namespace: string; file: OpenedFile; run: number }) {
  const { api } = useServices();
  const plaintext = usePlaintext();
  const reveals = useReveals();
  const session = useHistoryFiles().session(namespace, run, (fileId) =>
    createFileSession(
      { namespace, file, fileId, run },
      { api: createFilesApi(api), plaintext, reveals, openPort: openHistoryPort },
    ),
  );
  return (
    <>
      <RevealBar run={session.address} />
      <FileRunProvider
        key={JSON.stringify(session.address)}
        session={session}
        loading={<RunSkeleton address={session.address} />}
        renderFailed={(error, retry) =>
          failureCode(error) === 'forbidden' ? (
            <Forbidden namespace={namespace} onRetry={retry} />
          ) : (
            <StatePage
              icon={<FileWarning size={18} />}
              title="The codec server could not describe the history"
              facts={[['File', escapeInvisible(file.name)]]}
              actions={
                <>
                  <Button look="primary" onClick={retry}>
                    Try again
                  </Button>
                  <Button onClick={() => runCommand('file.open')}>Choose another file</Button>
                </>
              }
            >
              <p role="alert">{error.message}</p>
            </StatePage>
          )
        }
      >
        <Content />
      </FileRunProvider>
    </>
  );
}

function Content() {
  const search = route.useSearch();
  const navigate = useNavigate({ from: '/ns/$namespace/file' });
  const change = useCallback(
    (part: Partial<WorkflowSearch>, replace = true) => {
      void navigate({ search: (known) => ({ ...known, ...part }), replace });
    },
    [navigate],
  );
  return <RunContent header={<FileHeader />} search={search} change={change} />;
}
