import { getRouteApi } from '@tanstack/react-router';
import { escapeInvisible, MAX_FIELD_RUNS } from '@temporal-kms/codec-api';
import { useEffect, useMemo, useState } from 'react';
import { perPerson } from '../../payloads/reveal/per-person.ts';
import { type RevealSource, useRevealSource } from '../../payloads/reveal/use-reveal-source.ts';
import { useMe } from '../../session/me.tsx';
import { Forbidden } from '../../session/pages/forbidden.tsx';
import { Menu, MenuAction } from '../../ui/overlays/menu.tsx';
import { messageOf } from '../../ui/errors.ts';
import { Footer } from '../../ui/page/footer.tsx';
import { useRunsApi } from '../api.ts';
import { useResolvedTimes } from '../filter/use-resolved-times.ts';
import { createFieldsApi } from './api.ts';
import { createComparisons } from './comparison.ts';
import { ComparisonResult } from './comparison-result.tsx';
import { ComparedSet } from './compared-set.tsx';
import styles from './differs.module.css';
import {
  failedAndCompleted,
  lastDays,
  latestBuilds,
  type Queries,
  setAndRest,
  withoutBuilds,
} from './presets.ts';
import { differencesOf } from './start-differs-worker.ts';

const route = getRouteApi('/ns/$namespace/differs');

const comparisonsOf = perPerson(({ api, ...source }: RevealSource) =>
  createComparisons({ ...source, api: createFieldsApi(api), differencesOf }),
);

/** The page that compares two sets of runs. */
export function DiffersPage() {
  const { namespace } = route.useParams();
  const { a = '', b = '' } = route.useSearch();
  const navigate = route.useNavigate();
  const { can } = useMe();
  const comparisons = comparisonsOf(useRevealSource());
  // Resolves both queries relative to the same moment: "the last 24 h" and "the 24 h before" must neither
  // overlap nor leave a gap.
  const resolve = useResolvedTimes(namespace, JSON.stringify([a, b]));
  const sets = useMemo(() => [resolve(a), resolve(b)] as const, [resolve, a, b]);
  const show = (queries: Queries) => void navigate({ search: { a: queries[0], b: queries[1] } });

  useEffect(() => {
    document.title = escapeInvisible(`What differs · ${namespace} · temporal-kms`);
  }, [namespace]);

  if (!can(namespace, 'metadata')) return <Forbidden namespace={namespace} onRetry={() => undefined} />;
  return (
    <>
      <div className={styles['head']}>
        <h1 className={styles['title']}>What differs</h1>
        <span className="t2">between two sets of runs</span>
        <span className="spacer" />
        <Presets namespace={namespace} query={a === '' ? b : a} onChoose={show} />
      </div>
      <div className={styles['sets']}>
        <ComparedSet name="A" namespace={namespace} text={a} query={sets[0]} onApply={(q) => show([q, b])} />
        <ComparedSet name="B" namespace={namespace} text={b} query={sets[1]} onApply={(q) => show([a, q])} />
      </div>
      <div className={styles['body']}>
        <ComparisonResult namespace={namespace} texts={[a, b]} queries={sets} comparisons={comparisons} />
      </div>
      <Footer
        hints={[
          { commands: ['go.workflows'], text: 'workflows' },
          { commands: ['help'], text: 'all keys' },
        ]}
      >
        <span>Up to {MAX_FIELD_RUNS} runs of each set are compared</span>
      </Footer>
    </>
  );
}

interface PresetsProps {
  readonly namespace: string;
  /** The query whose conditions both sets share. */
  readonly query: string;
  readonly onChoose: (queries: Queries) => void;
}

/** Buttons for the usual comparisons. */
function Presets({ namespace, query, onChoose }: PresetsProps) {
  const api = useRunsApi();
  const [searching, setSearching] = useState(false);
  const [note, setNote] = useState('');
  const resolve = useResolvedTimes(namespace, query);
  const rest = setAndRest(query);
  const choose = (queries: Queries | undefined) => queries && onChoose(queries);

  async function chooseBuilds() {
    setSearching(true);
    setNote('');
    try {
      const latest = { query: resolve(withoutBuilds(query)), pageSize: 100 };
      const { workflows } = await api.workflows(namespace, latest);
      const queries = latestBuilds(query, workflows);
      if (queries) onChoose(queries);
      else setNote('The latest 100 runs do not have two builds to compare.');
    } catch (error) {
      setNote(`The builds could not be found: ${messageOf(error)}`);
    }
    setSearching(false);
  }

  return (
    <>
      <span className="t2" role="status">
        {note}
      </span>
      <Menu label="Presets" align="end" trigger="Presets">
        <MenuAction onClick={() => choose(failedAndCompleted(query))}>Failed and completed</MenuAction>
        <MenuAction onClick={() => choose(lastDays(query))}>The last 24 h and the 24 h before</MenuAction>
        <MenuAction disabled={searching} onClick={() => void chooseBuilds()}>
          The two latest builds
        </MenuAction>
        <MenuAction disabled={!rest} onClick={() => choose(rest)}>
          Set A and all other runs
        </MenuAction>
      </Menu>
    </>
  );
}
